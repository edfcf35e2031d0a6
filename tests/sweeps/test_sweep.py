"""A whole sweep with a stand-in for training: what is made, in which order, how often, and what is said of it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from seqcfg.errors import UserError
from seqcfg.sweeps.plan import Plan
from seqcfg.sweeps.progress import FAILED, FINISHED, PRUNED, read_mark
from seqcfg.sweeps.queue import Queue
from seqcfg.sweeps.summary import as_plain, summarize
from seqcfg.sweeps.table import as_markdown
from seqcfg.sweeps.workers import clear_failures
from tests.sweeps.small import RATE, ROOT, make_plan, work


def made(plan):
    path = plan.folder / "made.jsonl"
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    plan = make_plan(tmp_path_factory.mktemp("sweep"))
    work(plan)
    return plan


def summary_of(plan):
    return summarize(plan, Queue(plan).standings())


def test_every_setting_is_trained_with_every_seed_once_and_the_first_seed_first(whole):
    assert len(made(whole)) == 9 == len(set(made(whole)))
    assert [name.split("-seed_")[1][0] for name in made(whole)] == list("111222333")


def test_the_best_setting_is_found_and_beats_the_others_by_more_than_noise(whole):
    found = summary_of(whole)
    assert found.best.values == {RATE: 0.01}
    assert found.best.spread.mean == pytest.approx(0.25 + 0.01)
    assert [row.difference.is_real for row in found.rows[1:]] == [True, True]
    assert "it beats 2 of 2 other settings by more than the noise of seeds, at 95 % confidence" in found.verdict


def test_a_difference_smaller_than_the_noise_is_not_called_one(tmp_path):
    plan = make_plan(tmp_path, rates=(0.01, 0.0101), seeds=2)
    work(plan)
    found = summary_of(plan)
    assert not found.rows[1].difference.is_real
    assert any(line.startswith("no difference can be claimed to value=0.0101") for line in found.verdict)
    assert "not told apart" in as_markdown(found)


def test_one_seed_claims_nothing(tmp_path):
    plan = make_plan(tmp_path, rates=(0.01, 0.1), seeds=1)
    work(plan)
    assert "with one seed the noise is not known" in summary_of(plan).verdict[-1]
    assert as_plain(summary_of(plan))["settings"][1]["p"] is None


def test_a_finished_sweep_makes_nothing_again(whole):
    before = made(whole)
    assert work(Plan.open(whole.folder)) == []
    assert made(whole) == before


def test_a_sweep_with_more_values_makes_only_the_new_runs(whole, tmp_path):
    import shutil

    folder = shutil.copytree(whole.folder, tmp_path / "sweep")
    plan = make_plan(folder, rates=(0.001, 0.01, 0.1, 0.02))
    assert len(work(plan)) == 3
    assert all("value_0.02" in name for name in made(plan)[9:])


def test_runs_of_another_folder_with_the_same_fingerprint_count(whole, tmp_path):
    plan = make_plan(tmp_path, rates=(0.01, 0.5), reuse=[str(whole.folder / "runs")])
    assert all("value_0.5" in line for line in work(plan))
    assert len(made(plan)) == 3
    assert summary_of(plan).best.spread.mean == pytest.approx(0.26)


def test_the_sweep_of_another_recipe_is_not_mixed_with_this_one(whole):
    with pytest.raises(UserError, match="sweep of another recipe"):
        make_plan(whole.folder, steps=5)


def test_what_was_trained_can_be_looked_at_when_the_recipe_has_changed_since(whole, tmp_path):
    import shutil

    folder = shutil.copytree(whole.folder, tmp_path / "sweep")
    told = json.loads((folder / "sweep.json").read_text())
    told["overrides"] = ["training.steps=5"]  # stands for another text of the recipe, or another version that reads it
    (folder / "sweep.json").write_text(json.dumps(told))
    with pytest.raises(UserError, match="sweep of another recipe"):
        Plan.open(folder)
    found = summary_of(Plan.open(folder, to_train=False))
    assert found.best.values == {RATE: 0.01} and len(found.rows) == 3


def test_a_failed_run_is_told_with_its_log_and_tried_again_when_asked(tmp_path):
    plan = make_plan(tmp_path, rates=(0.01, 7.0), seeds=1)
    said = work(plan)
    assert "failed at step 0; see" in said[1]
    log = plan.folder / "logs" / f"{Queue(plan).runs()[1].name}.log"
    assert "the rate is too high" in log.read_text()
    assert work(plan) == []  # it stays as it is
    assert clear_failures(plan) == 1
    assert len(work(plan)) == 1
    assert [read_mark(plan, run)["state"] for run in Queue(plan).runs()] == [FINISHED, FAILED]


def test_a_sweep_whose_first_runs_all_fail_stops(tmp_path):
    plan = make_plan(tmp_path, rates=(7.0, 8.0, 9.0, 10.0, 0.01), seeds=1)
    with pytest.raises(UserError, match="the first 3 runs have all failed"):
        work(plan)
    assert [one.state for one in Queue(plan).standings()] == [FAILED] * 3 + ["waiting"] * 2


def test_several_workers_share_the_runs(tmp_path):
    plan = make_plan(tmp_path, seeds=2)
    work(plan, number=3)
    assert sorted(made(plan)) == sorted(run.name for run in Queue(plan).runs())


def test_a_job_takes_one_run_and_leaves(tmp_path):
    plan = make_plan(tmp_path, seeds=1)
    assert [len(work(plan, limit=1)) for _ in range(4)] == [1, 1, 1, 0]


def test_a_sampler_that_looks_back_goes_on_from_what_is_in_the_folder(tmp_path):
    exploration = {"type": "optuna", "num_trials": 4}
    plan = make_plan(tmp_path, seeds=1, exploration=exploration)
    work(plan, limit=2)
    first = (plan.folder / "trials.jsonl").read_text()
    work(Plan.open(plan.folder))
    assert (plan.folder / "trials.jsonl").read_text().startswith(first)
    assert len(Queue(plan).trials()) == 4


SLOW = """
import runpy, sys, time
from pathlib import Path
from seqcfg.runs.records import Records
Path(sys.argv[3]).mkdir(parents=True)
Path(sys.argv[3], "resolved.yaml").write_text("")
with Records(Path(sys.argv[3], "records.jsonl")) as records:
    records.append(1, "validation", loss=9.0)
    time.sleep(600)
"""


def test_a_hopeless_run_is_given_up_and_the_others_are_not(tmp_path):
    plan = make_plan(tmp_path, rates=(0.01, 0.02), seeds=1, pruner={"type": "median", "num_others": 1})
    work(plan, limit=1)
    slow = tmp_path / "slow.py"
    slow.write_text(SLOW)
    said = work(plan, limit=1, command=(sys.executable, str(slow)))
    assert "pruned at step 1" in said[0]
    assert [one.state for one in Queue(plan).standings()] == [FINISHED, PRUNED]
    assert "1 of 2 settings have no finished run and are not judged" in summary_of(plan).verdict


DRIVER = """
import sys
from pathlib import Path
from tests.sweeps.small import make_plan, work
work(make_plan(Path(sys.argv[1]), rates=(0.001, 0.01, 0.1, 0.2), seeds=3))
"""


def test_a_sweep_of_12_runs_killed_twice_repeats_no_finished_run(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", DRIVER, str(tmp_path)]
    plan = make_plan(tmp_path, rates=(0.001, 0.01, 0.1, 0.2), seeds=3)
    for finished in (3, 7):
        process = subprocess.Popen(command, env=environment)
        deadline = time.monotonic() + 120
        while len(made(plan)) < finished and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
        assert len(made(plan)) < 12
    assert subprocess.run(command, env=environment, timeout=120).returncode == 0
    names = made(plan)
    assert len(set(names)) == 12
    assert len(names) == 12  # one that was in the making went on by itself, or had not finished
    assert len(summary_of(plan).rows) == 4
