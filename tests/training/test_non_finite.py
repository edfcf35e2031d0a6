"""R23 and what happens when numbers overflow: counted, named, borne up to a bound."""

import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.data.loader import Loader
from seqcfg.data.plans import training_plan
from seqcfg.data.prepare import prepare
from seqcfg.recipe.experiment import load
from seqcfg.training.examine import Examiner
from seqcfg.training.meter import Meter
from seqcfg.training.non_finite import NonFinite
from seqcfg.training.state import create_state
from seqcfg.training.step import MEASURED, TrainingStep

RECIPE = Path(__file__).parent / "crash.yaml"


def test_skipping_is_borne_until_too_many_in_a_row():
    policy = NonFinite(max_in_a_row=2)
    assert policy.verdict([]) == "" and policy.verdict([5, 6]) == "" and policy.verdict([4, 5, 7, 8]) == ""
    assert policy.verdict([5, 6, 7]).startswith("3 in a row")


def test_skipping_is_borne_until_too_many_in_all():
    assert NonFinite(max_total=2).verdict([1, 5]) == ""
    assert NonFinite(max_total=2).verdict([1, 5, 9]).startswith("3 in all")


def test_stopping_bears_nothing():
    assert NonFinite(action="stop").verdict([7]) != "" and NonFinite(action="stop").verdict([]) == ""


def test_r23_an_update_left_out_does_not_enter_the_curve():
    meter = Meter()
    rows = np.ones([3, len(MEASURED)], np.float32)
    rows[1, MEASURED.index("norm")] = rows[1, MEASURED.index("total")] = math.nan
    meter.add(rows)
    assert meter.measured()["tokens"] == 2.0 and meter.measured()["loss"] == 1.0
    empty = Meter()
    empty.add(rows[1:2])
    assert math.isnan(empty.measured()["loss"])


@pytest.fixture(scope="module")
def examiner(tmp_path_factory):
    """(an Examiner over fresh weights, the state, the step)."""
    experiment = load(RECIPE, ["training.accumulate_batches=2"])
    prepared = prepare(experiment, cache_root=tmp_path_factory.mktemp("prepared"))
    training, features = experiment.recipe.training, experiment.recipe.task.features()
    columns = prepared.splits["train"]
    loader = Loader(columns, training_plan(columns, features, experiment.recipe.data.batching, training.seed), features)
    state = create_state(experiment.declaration, training)
    step = TrainingStep(experiment.recipe.task, experiment.declaration, training, state)
    return Examiner(experiment, prepared.codecs, loader, state), state, step, loader


def test_the_examples_losses_add_up_to_that_of_the_update_noise_included(examiner):
    looking, _, step, loader = examiner
    found = looking.examine(0)
    seen = step.run(iter(loader.dataset(0, 2)), tf.constant(1))
    assert sum(one.loss for one in found.examples) == pytest.approx(float(seen["total"]), rel=1e-5)
    assert sum(one.weight for one in found.examples) == float(seen["weight"])
    assert math.hypot(*found.gradient_norms.values()) == pytest.approx(float(seen["norm"]), rel=1e-5)
    assert [one.example for one in found.examples] == looking.examples_of(0)
    assert found.first_non_finite == ""
    assert all(one.texts["text"] for one in found.examples)


def test_the_first_weight_that_is_not_finite_is_named(examiner):
    looking, state, *_ = examiner
    bias = next(variable for path, variable in state.weights.items() if path.endswith("expand/bias"))
    before = bias.numpy()
    bias.assign(np.where(np.arange(len(before)) == 3, np.nan, before))
    try:
        assert "expand/bias has 1 NaN of 8 values" in looking.examine(0).first_non_finite
    finally:
        bias.assign(before)


def test_the_first_layer_whose_output_is_not_finite_is_named(examiner):
    looking, state, *_ = examiner
    kernel = next(variable for path, variable in state.weights.items() if path.endswith("expand/kernel"))
    before = kernel.numpy()
    kernel.assign(np.where(np.arange(8) == 3, np.float32(3e38), before))  # finite, but not a sum of eight of them
    try:
        assert looking.examine(0).first_non_finite.startswith("the layer model/decoder/layer/expand: its output has")
    finally:
        kernel.assign(before)


def test_a_loss_that_overflows_by_itself_is_named(examiner):
    looking, state, *_ = examiner
    table = state.weights["model/embedding/table"]
    before = table.numpy()
    table.assign(tf.fill(table.shape, 3e38))
    try:
        assert looking.examine(0).first_non_finite == "the loss is nan"
    finally:
        table.assign(before)
