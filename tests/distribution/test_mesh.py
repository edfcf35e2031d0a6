"""Devices that share each layer of a Transformer give what one device gives, up to rounding."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqcfg.checkpoints.read import find, load_arrays
from seqcfg.errors import UserError
from seqcfg.recipe.experiment import load
from seqcfg.runs import records
from seqcfg.runs.directory import RunDirectory
from seqcfg.training.replay import replay

RECIPE = str(Path(__file__).parent / "transformer.yaml")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
pytestmark = pytest.mark.xdist_group("processes")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("mesh")


def train(place, name, *settings, recipe=RECIPE):
    """The run after a process of its own has trained it."""
    options = [part for setting in settings for part in ("--set", setting)]
    command = [
        sys.executable,
        "-m",
        "seqcfg",
        "train",
        recipe,
        "--run",
        str(place / name),
        "--cache-root",
        str(place / "prepared"),
        *options,
    ]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return place / name


def mesh(batch, model, rules="{}"):
    return f"training.strategy={{type: mesh, axes: {{batch: {batch}, model: {model}}}, rules: {rules}}}"


def losses(run):
    return [record["loss"] for record in records.read(run / "records.jsonl", "train")]


def state(run):
    return load_arrays(find(run / "checkpoints")[-1].path)


def assert_same_bits(one, other):
    one, other = state(one), state(other)
    assert one.keys() == other.keys()
    assert [path for path, value in one.items() if value.tobytes() != other[path].tobytes()] == []


def test_a_run_begun_on_a_mesh_and_finished_on_one_device_has_the_losses_and_weights_of_one_device(place):
    alone = train(place, "alone")
    train(place, "both", mesh(1, 2), "training.steps=2")
    both = train(place, "both")
    assert losses(both) == pytest.approx(losses(alone), rel=1e-5)
    one, other = state(alone), state(both)
    assert one.keys() == other.keys()
    for path, value in one.items():
        np.testing.assert_allclose(other[path], value, atol=2e-6, err_msg=path)


@pytest.mark.slow
def test_losses_agree_for_a_hundred_steps_on_two_and_four_devices_and_the_same_mesh_gives_the_same_bits(place):
    steps = ("training.steps=100", "training.schedule.value=0.05")
    alone = train(place, "alone-long", *steps)
    for axes in ((1, 2), (2, 1), (2, 2), (1, 4)):
        run = train(place, f"mesh-{axes[0]}-{axes[1]}", mesh(*axes), *steps)
        assert losses(run) == pytest.approx(losses(alone), rel=1e-4), axes
        assert len(losses(run)) == 100
    assert_same_bits(train(place, "again", mesh(2, 2), *steps), place / "mesh-2-2")


GROUPS = (
    "task.model.decoder.layers.1.layer={type: multi_head_attention, num_heads: 4, num_kv_heads: 2, causal: true, head_dim: 4, rotary: {}}"
)
LEARNERS = (
    "training.learners={tables: {weights: ['*table'], optimizer: {type: sgd}, schedule: {type: constant, value: 0.1}, clip: {norm: 1.0}},"
    " layers: {weights: ['*decoder*'], optimizer: {type: sgd}, schedule: {type: constant, value: 0.1}, every_steps: 2}}"
)
GATED = "task.model.decoder.layers.2={type: residual, norm: {type: rms_norm}, layer: {type: feed_forward, hidden: 16, gating: glu}}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        (
            GROUPS,
            GATED,
            "task.model.output={type: dense, units: 260}",
            "data.batching.packing=true",
            "training.optimizer={type: adafactor}",
        ),
        ("training.precision=float16", "training.skip={outliers: {}, max_in_a_row: 3}", "training.accumulate_batches=2"),
        ("training.clip.norm=null", LEARNERS),
        ("training.weight_noise={std: 0.05, start_step: 2}", "training.gradient_noise={eta: 0.01}"),
        ("training.rematerialized=['model/decoder/layers/*']", "training.adapters={weights: ['*kernel'], rank: 2}"),
    ],
    ids=["groups-gates-packing", "float16-skipping-accumulation", "learners-averages", "noise", "rematerialized-adapters"],
)
def test_what_layers_and_steps_can_do_they_can_do_on_a_mesh(place, request, settings):
    name, rel = request.node.callspec.id, 1e-3 if "float16" in settings[0] else 1e-5
    alone = train(place, f"{name}-alone", *settings)
    several = train(place, name, mesh(2, 2), *settings)
    assert losses(several) == pytest.approx(losses(alone), rel=rel)
    one, other = state(alone), state(several)
    for path, value in one.items():
        np.testing.assert_allclose(other[path], value, rtol=100 * rel, atol=10 * rel, err_msg=path)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [mesh(1, 2), "training.strategy={type: mirrored}"], ids=["mesh", "mirrored"])
def test_an_update_of_several_devices_is_replayed_to_the_bit(place, request, strategy):
    run = train(place, f"replayed-{request.node.callspec.id}", strategy, "training.checkpoint.every_steps=2")
    command = [sys.executable, "-m", "seqcfg", "replay", str(run), "--step", "4", "--cache-root", str(place / "prepared")]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert "have the run's bits; all variables have the bits of the checkpoint of this step" in done.stdout


def test_what_several_processes_made_is_not_replayed(tmp_path):
    experiment = load(RECIPE, ["training.strategy={type: multi_worker}"])
    with pytest.raises(UserError, match="was trained by several processes"):
        replay(experiment, None, RunDirectory(tmp_path), 1, print)


@pytest.mark.slow
def test_an_encoder_and_a_decoder_that_attends_to_it_are_divided_too(place):
    translation, steps = str(Path(__file__).parents[1] / "training" / "tiny.yaml"), ("training.steps=8", "training.log_every_steps=1")
    alone = train(place, "translation-alone", *steps, recipe=translation)
    several = train(place, "translation", mesh(2, 2), *steps, recipe=translation)
    assert losses(several) == pytest.approx(losses(alone), rel=1e-5)


@pytest.mark.slow
def test_a_run_that_stops_and_goes_on_with_its_mesh_has_the_bits_of_one_that_does_not(place):
    whole = train(place, "whole", mesh(2, 2), "training.steps=12")
    train(place, "halves", mesh(2, 2), "training.steps=5")
    assert_same_bits(train(place, "halves", mesh(2, 2), "training.steps=12"), whole)


@pytest.mark.slow
def test_a_run_of_one_device_goes_on_with_a_mesh(place):
    alone = train(place, "alone-first", "training.steps=8")
    train(place, "mesh-second", "training.steps=4")
    assert losses(train(place, "mesh-second", mesh(2, 2), "training.steps=8")) == pytest.approx(losses(alone), rel=1e-5)
