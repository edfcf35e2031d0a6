"""Opening a run: which checkpoint is meant, and what is refused."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.checkpoints.commit import choose, save
from seqcfg.errors import UserError
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_run import make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("opened"))


def test_best_is_that_of_the_lowest_validation_loss_and_last_the_newest(run):
    assert (open_run(run).step, open_run(run, "last").step, open_run(run, "10").step) == (10, 20, 10)
    assert open_run(run).label == "step-00000010"


def test_of_equal_checkpoints_the_earliest_is_the_best(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    variables = {f"weights/{path}": tf.Variable(value) for path, value in open_run(run).weights.items()}
    for step, loss in ((5, 2.6), (30, 2.5), (40, 2.5)):
        save(copy / "checkpoints", step, variables, {"metrics": {"loss": loss}})
    assert open_run(copy).step == 10
    assert choose(copy / "checkpoints", last=1, best=2) == {10, 30, 40}
    assert choose(copy / "checkpoints", last=1, best=1) == {10, 40}


def test_average_is_the_mean_of_the_newest(run):
    first, second, mean = (open_run(run, checkpoint) for checkpoint in ("10", "20", "average:2"))
    assert mean.label == "average-2-step-00000020"
    for path, value in mean.weights.items():
        np.testing.assert_allclose(value, (first.weights[path].astype(float) + second.weights[path]) / 2, rtol=1e-6)


def test_a_moving_average_takes_the_place_of_the_weights(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    plain = open_run(run, "10").weights
    variables = {f"weights/{path}": tf.Variable(value) for path, value in plain.items()}
    smoothed = {f"average/{path}": tf.Variable(value * 3.0) for path, value in plain.items()}
    save(copy / "checkpoints", 30, variables | smoothed, {})
    for path, value in open_run(copy, "last").weights.items():
        np.testing.assert_allclose(value, 3.0 * plain[path], rtol=1e-6)


@pytest.mark.parametrize(
    "checkpoint, says",
    [("11", "no checkpoint of step 11"), ("average:3", "holds 2 whole checkpoints"), ("finest", "no checkpoint called 'finest'")],
)
def test_checkpoints_that_are_not_there_are_refused_by_name(run, checkpoint, says):
    with pytest.raises(UserError, match=says):
        open_run(run, checkpoint)


def test_overrides_that_change_the_weights_are_refused(run):
    with pytest.raises(UserError, match="do not fit the recipe"):
        open_run(run, overrides=["task.model.encoder.layer.hidden=9"])
    assert open_run(run, overrides=["decoding.search.width=1"]).experiment.recipe.decoding.search.width == 1


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="is not a run directory"):
        open_run(tmp_path)


def test_a_damaged_checkpoint_is_named_and_the_next_best_taken(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    data = next((copy / "checkpoints" / "step-00000010").glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:-1])
    said = []
    assert open_run(copy, warn=said.append).step == 20
    assert "step-00000010 is damaged" in said[0]
