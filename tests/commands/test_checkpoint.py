"""`seqcfg checkpoint` and `average` on a run that was made in a second."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from seqcfg.checkpoints.read import find, load_arrays
from seqcfg.cli import cli
from seqcfg.errors import UserError
from seqcfg.runs.lock import RunLock
from seqcfg.tasks.trained import open_run

spec = importlib.util.spec_from_file_location("small_run", Path(__file__).parents[1] / "evaluation" / "small_run.py")
small_run = importlib.util.module_from_spec(spec)
spec.loader.exec_module(small_run)


@pytest.fixture
def run(tmp_path):
    return small_run.make_run(tmp_path)


def invoke(*arguments):
    return CliRunner().invoke(cli, [*map(str, arguments)])


def test_list_shows_sizes_figures_and_which_is_best_and_newest(run):
    rows = json.loads(invoke("checkpoint", "list", run, "--format", "json").output)
    assert [(row["step"], row["metrics"], row["best"], row["newest"]) for row in rows] == [
        (10, {"loss": 2.5}, True, False),
        (20, {"loss": 3.0}, False, True),
    ]
    assert all(row["bytes"] > 1000 and row["damage"] == "" for row in rows)
    assert "best" in invoke("checkpoint", "list", run).output


def test_verify_names_what_is_damaged_and_says_so_with_its_exit_code(run):
    assert (invoke("checkpoint", "verify", run).exit_code, invoke("checkpoint", "verify", run).output.count("whole")) == (0, 2)
    data = next(find(run / "checkpoints")[0].path.glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:-1] + b"\xff")
    result = invoke("checkpoint", "verify", run)
    assert result.exit_code == 1
    assert "step-00000010 is damaged" in result.output and "step-00000020: whole" in result.output


def test_the_mean_of_checkpoints_is_a_checkpoint_that_can_be_used(run):
    output = invoke("average", run, "--last", 2).output
    folder = run / "averages" / "last-2" / "step-00000020"
    assert "steps 10, 20" in output
    one, other = (load_arrays(info.path, "weights/") for info in find(run / "checkpoints"))
    mean = open_run(run, str(folder)).weights
    for path, array in mean.items():
        np.testing.assert_allclose(array, (one[f"weights/{path}"] + other[f"weights/{path}"]) / 2, rtol=1e-6)
    assert invoke("checkpoint", "average", run, "--best", 1).output.startswith("averaged 1 checkpoints, steps 10")


@pytest.mark.parametrize("choice", [["--step", 15], ["--last", 3], ["--last", 1, "--best", 1]])
def test_an_average_of_what_is_not_there_is_refused(run, choice):
    assert isinstance(invoke("average", run, *choice).exception, UserError)


def test_weights_are_exported_by_their_paths(run):
    invoke("checkpoint", "export", run, "--checkpoint", "20")
    with np.load(run / "exports" / "step-00000020.npz", allow_pickle=False) as found:
        stored = load_arrays(find(run / "checkpoints")[1].path, "weights/")
        assert {f"weights/{name}" for name in found.files} == set(stored)


def test_pruning_says_first_what_it_would_delete_and_keeps_the_newest(run):
    assert invoke("checkpoint", "prune", run, "--last", 1, "--best", 0, "--dry-run").output.endswith("would be deleted: steps 10\n")
    assert len(find(run / "checkpoints")) == 2
    assert invoke("checkpoint", "prune", run, "--last", 1, "--best", 1).output.startswith("0 of 2")
    assert invoke("checkpoint", "prune", run, "--last", 1, "--best", 0).output.startswith("1 of 2")
    assert [info.step for info in find(run / "checkpoints")] == [20]


def test_checkpoints_of_a_run_at_work_are_not_pruned(run):
    with RunLock(run):
        assert "in use" in str(invoke("checkpoint", "prune", run, "--last", 1).exception)
