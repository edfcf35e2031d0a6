"""One recipe of every task trains, from raw data to a checkpoint."""

import math

import pytest
from click.testing import CliRunner

from seqcfg import cli
from seqcfg.checkpoints.read import find, load_arrays
from seqcfg.layers.create import initial_values
from seqcfg.recipe import shipped
from seqcfg.recipe.experiment import load
from seqcfg.runs import records
from tests.recipes.shrunk import CONFORMER, LANGUAGE_MODELING, TRANSDUCER, TRANSLATION, arguments

TASKS = {"translation": TRANSLATION, "language_modeling": LANGUAGE_MODELING, "recognition": CONFORMER}


@pytest.mark.parametrize("shrunk", [*TASKS.values(), pytest.param(TRANSDUCER, marks=pytest.mark.slow)], ids=[*TASKS, "transducer"])
def test_two_steps_train_a_checkpoint_with_every_weight_moved(shrunk, tmp_path):
    run = tmp_path / "run"
    command = ["train", *arguments(shrunk), "--set", "training.steps=2", "--set", "training.log_every_steps=1"]
    result = CliRunner().invoke(cli.cli, [*command, "--run", str(run), "--cache-root", str(tmp_path / "prepared")])
    assert result.exit_code == 0, result.output

    losses = [record["loss"] for record in records.read(run / "records.jsonl", "train")]
    assert len(losses) == 2
    assert all(0 < loss < 3 * math.log(260) for loss in losses)  # 260 ids, and a model that knows nothing yet

    newest = find(run / "checkpoints")[-1]
    assert newest.step == 2
    trained = load_arrays(newest.path, "weights/")
    experiment = load(shrunk[0], [*shrunk[1:], "training.steps=2"])
    start = initial_values(experiment.declaration, experiment.recipe.training.seed)
    still = [path for path, value in start.items() if (trained[f"weights/{path}"] == value.numpy()).all()]
    assert {weight.path for weight in experiment.declaration.all_weights()} == set(start)
    assert all(path.endswith("key/bias") for path in still)  # a vector common to all keys cancels in the softmax


def test_every_task_of_a_shipped_recipe_is_one_that_trains_here():
    named = {type(load(str(shipped.find(name)), allow_base=True).recipe.task).type for name in shipped.names()}
    assert named == set(TASKS)
