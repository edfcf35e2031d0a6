"""What `seqcfg runs gc` frees: what nobody needs, and nothing of a run at work."""

import pytest
from click.testing import CliRunner

from seqcfg.checkpoints.commit import save
from seqcfg.checkpoints.read import find
from seqcfg.checkpoints.reclaim import reclaim, waste
from seqcfg.commands.runs import command
from seqcfg.errors import UserError
from seqcfg.runs.lock import RunLock
from tests.comparison.synthetic import make_run


@pytest.fixture
def run(tmp_path, make_variables):
    run = make_run(tmp_path / "runs" / "a", lines=10)
    for step, value in ((10, 3.0), (20, 9.0), (30, 5.0), (40, 4.0)):
        save(run / "checkpoints", step, make_variables(), {"metrics": {"exact_match": value}})
    (run / "checkpoints" / "step-00000050.partial").mkdir()
    (run / "checkpoints" / "step-00000050.partial" / "rest").write_bytes(b"x" * 1000)
    return run


def steps(run):
    return [info.step for info in find(run / "checkpoints")]


def test_the_best_and_the_newest_stay(run):
    found = waste(run, metric="exact_match", is_higher_better=True)
    assert found.steps == [10, 30] and [path.name for path in found.leftovers] == ["step-00000050.partial"] and found.bytes > 1000
    reclaim(found)
    assert steps(run) == [20, 40] and not list(run.rglob("*.partial"))
    assert waste(run, metric="exact_match", is_higher_better=True).bytes == 0


def test_nothing_is_removed_without_yes_and_the_recipe_says_what_is_best(run):
    def gc(*options):
        return CliRunner().invoke(command, ["gc", str(run.parent), *options], standalone_mode=False).output

    assert "checkpoints of steps 10, 30; leftovers: step-00000050.partial" in gc() and "--yes does it" in gc()
    assert steps(run) == [10, 20, 30, 40]
    assert "freed" in gc("--yes") and steps(run) == [20, 40]
    assert gc("--yes").strip() == "there is nothing to free"


def test_a_run_at_work_is_left_alone(run):
    found = waste(run, metric="exact_match", is_higher_better=True)
    with RunLock(run), pytest.raises(UserError, match="in use"):
        reclaim(found)
    assert steps(run) == [10, 20, 30, 40]


def test_of_damaged_checkpoints_the_newest_whole_one_stays(run):
    (run / "checkpoints" / "step-00000040" / "MANIFEST.json").write_text("{")
    found = waste(run, metric="exact_match", is_higher_better=True)
    assert 30 not in found.steps
