"""A run that is killed, stopped or misused: what comes out is what an undisturbed run gives, or a clear refusal."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from seqcfg.checkpoints.read import find, load_arrays
from seqcfg.runs import records
from seqcfg.runs.manifest import read_manifest
from seqcfg.runs.trace import read_steps

RECIPE = str(Path(__file__).parent / "tiny.yaml")
pytestmark = pytest.mark.xdist_group("runs")  # one worker, so that the undisturbed run is made once


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with prepared data and an undisturbed run of 24 steps."""
    folder = tmp_path_factory.mktemp("runs")
    result = train(folder, "whole")
    assert result.returncode == 0, result.stderr
    return folder


def command(folder, name, *more):
    return [sys.executable, "-m", "seqcfg", "train", RECIPE, "--run", str(folder / name), "--cache-root", str(folder / "prepared"), *more]


def train(folder, name, *more):
    return subprocess.run(command(folder, name, *more), capture_output=True, text=True, env=environment(), timeout=300)


def environment():
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}


def start_and_signal(folder, name, number, at_step):
    """Starts a run and sends it a signal once a checkpoint of `at_step` is there; returns its exit code."""
    process = subprocess.Popen(command(folder, name), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        if any(info.step >= at_step for info in find(folder / name / "checkpoints")):
            process.send_signal(number)
            break
        time.sleep(0.01)
    return process.wait(timeout=200)


def assert_same_end(folder, name):
    one, other = (load_arrays(find(folder / run / "checkpoints")[-1].path) for run in ("whole", name))
    assert one.keys() == other.keys()
    assert [path for path in one if not np.array_equal(one[path], other[path])] == []


@pytest.fixture(scope="module")
def killed(place):
    """The folder of runs, where one called "killed" was ended by the kernel and then continued to its end."""
    assert start_and_signal(place, "killed", signal.SIGKILL, at_step=8) == -signal.SIGKILL
    result = train(place, "killed")
    assert result.returncode == 0, result.stderr
    assert "goes on after step" in result.stderr
    return place


def test_a_killed_run_ends_with_the_bits_of_an_undisturbed_one(killed):
    assert_same_end(killed, "killed")


def test_a_killed_run_records_each_step_once(killed):
    curves = [
        [(record["step"], record["kind"]) for record in records.read(killed / name / "records.jsonl") if "loss" in record]
        for name in ("whole", "killed")
    ]
    assert curves[0] == curves[1]


def test_a_killed_run_leaves_the_trace_of_an_undisturbed_one(killed):
    whole, other = (read_steps(killed / name) for name in ("whole", "killed"))
    assert len(whole) == 24
    assert np.array_equal(whole, other)


def test_a_terminated_run_saves_and_asks_to_be_submitted_again(place):
    code = start_and_signal(place, "stopped", signal.SIGTERM, at_step=4)
    assert code == 75
    result = train(place, "stopped")
    assert result.returncode == 0, result.stderr
    assert_same_end(place, "stopped")


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(place):
    shutil.copytree(place / "whole", place / "damaged")
    newest = find(place / "damaged" / "checkpoints")[-1]
    data = next(newest.path.glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:-8])
    result = train(place, "damaged")
    assert result.returncode == 0, result.stderr
    assert newest.path.name in result.stderr
    assert "goes on after step 20" in result.stderr


def test_a_continued_run_refuses_other_settings_and_names_them(place):
    result = train(place, "whole", "--set", "training.seed=2", "--set", "training.steps=30")
    assert result.returncode == 1
    assert "training.seed" in result.stderr
    assert "training.steps" not in result.stderr
    assert "Traceback" not in result.stderr


def test_the_manifest_tells_every_attempt(killed):
    attempts = read_manifest(killed / "killed" / "manifest.textproto").attempts
    assert [attempt.outcome for attempt in attempts] == ["", "finished"]  # the first was killed and could not say so
    assert attempts[1].last_step == 24


def test_a_finished_run_says_so_and_changes_nothing(killed):
    before = sorted(path.name for path in (killed / "killed" / "checkpoints").iterdir())
    result = train(killed, "killed")
    assert result.returncode == 0
    assert "all 24 steps are done" in result.stderr
    assert sorted(path.name for path in (killed / "killed" / "checkpoints").iterdir()) == before


def test_a_run_whose_checkpoints_are_gone_does_not_start_over(place):
    shutil.copytree(place / "whole", place / "emptied", ignore=shutil.ignore_patterns("step-*"))
    result = train(place, "emptied", "--set", "training.steps=30")
    assert result.returncode == 1
    assert "its checkpoints are gone" in result.stderr


def test_r8_a_place_that_cannot_be_written_is_told_before_anything_heavy_is_loaded(tmp_path):
    """R8: one line and a hint; neither TensorFlow nor data is touched."""
    (tmp_path / "file").write_text("")
    arguments = ["train", RECIPE, "--run", str(tmp_path / "file" / "run"), "--cache-root", str(tmp_path / "prepared")]
    program = f"import sys\nfrom seqcfg.cli import main\nprint(main({arguments!r}), 'tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment())
    assert done.stdout == "1 False\n"
    assert done.stderr.splitlines()[0].startswith("cannot write to ") and len(done.stderr.splitlines()) == 2
    assert not (tmp_path / "prepared").exists()


def test_records_hold_training_and_validation(place):
    lines = [json.loads(line) for line in (place / "whole" / "records.jsonl").read_text().splitlines()]
    assert {line["kind"] for line in lines} == {"train", "validation", "event"}
    assert {"loss", "rate", "norm", "tokens_per_second", "padding"} <= lines[0].keys()
    assert [line["step"] for line in lines if line["kind"] == "validation"] == [8, 16, 24]
