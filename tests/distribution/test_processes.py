"""Real processes on 127.0.0.1 that train together: what comes out is what one process gives, up to rounding."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from seqcfg.checkpoints.read import find, load_arrays
from tests.distribution.test_meeting import free_addresses

RECIPE = str(Path(__file__).parents[1] / "training" / "smallest.yaml")
MANY = tuple(part for setting in ("steps=100", "accumulate_batches=2", "schedule.value=0.05") for part in ("--set", f"training.{setting}"))
LONG = ("--set", "training.steps=4000", "--set", "training.checkpoint.every_steps=20", "--set", "training.validation.every_steps=4000")
pytestmark = pytest.mark.xdist_group("processes")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with prepared data."""
    folder = tmp_path_factory.mktemp("processes")
    subprocess.run(
        [sys.executable, "-m", "seqcfg", "prepare", RECIPE, "--cache-root", str(folder / "prepared")], check=True, env=environment()
    )
    return folder


def environment(**more):
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | more


def start(folder, name, *options, program=("-m", "seqcfg"), **more):
    command = [
        sys.executable,
        *program,
        "train",
        RECIPE,
        "--run",
        str(folder / name),
        "--cache-root",
        str(folder / "prepared"),
        *options,
    ]
    return subprocess.Popen(command, env=environment(**more), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


# A process that does not come back from its loop after so many updates.
WAITING = """
import sys, time
from seqcfg.training.loop import TrainingLoop
advance, steps = TrainingLoop._advance, int(sys.argv.pop(1))
TrainingLoop._advance = lambda self, iterator: time.sleep(1000) if self.done >= steps else advance(self, iterator)
from seqcfg.cli import main
main()
"""


# A process that stands still once all have met, where TensorFlow is about to begin.
STANDING_STILL = """
import os, signal
from seqcfg.lazy import tf
tf.distribute.MultiWorkerMirroredStrategy = lambda **_: os.kill(os.getpid(), signal.SIGSTOP)
from seqcfg.cli import main
main()
"""


def start_two(folder, name, *options, waits_after=None, programs=None):
    """Two processes of one run, of which the second one stops working after some updates if that is said."""
    addresses = list(free_addresses(2))
    configs = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}} for index in range(2)]
    strategy = ("--set", "training.strategy={type: multi_worker}")
    programs = programs or [("-m", "seqcfg"), ("-m", "seqcfg") if waits_after is None else ("-c", WAITING, str(waits_after))]
    return [
        start(folder, name, *strategy, *options, program=program, TF_CONFIG=json.dumps(config))
        for config, program in zip(configs, programs, strict=True)
    ]


def ended(*processes):
    """Their exit codes."""
    errors = [process.communicate(timeout=200)[1] for process in processes]
    return [process.returncode for process in processes], errors


def weights(folder, name):
    return load_arrays(find(folder / name / "checkpoints")[-1].path)


def losses(folder, name):
    """Of every update."""
    return np.frombuffer((folder / name / "steps.trace").read_bytes(), "<f4")[::2].tolist()


def test_two_processes_give_what_one_gives(place):
    steps = ("--set", "training.steps=4", "--set", "data.augmentation={text: [{type: token_dropout, rate: 0.3}]}")
    codes, errors = ended(start(place, "alone", *steps))
    assert codes == [0], errors
    codes, errors = ended(*start_two(place, "together", *steps))
    assert codes == [0, 0], errors
    one, two = weights(place, "alone"), weights(place, "together")
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, atol=2e-6, err_msg=name)
    assert losses(place, "together") == pytest.approx(losses(place, "alone"), rel=1e-5)
    assert not list((place / "together" / "processes" / "1" / "checkpoints").iterdir())


@pytest.mark.slow
def test_losses_agree_for_a_hundred_steps_and_the_same_devices_give_the_same_bits(place):
    mirrored = ("--set", "training.strategy={type: mirrored}")
    for name, processes in {
        "one": lambda: [start(place, "one", *MANY)],
        "mirrored": lambda: [start(place, "mirrored", *mirrored, *MANY)],
        "mirrored-again": lambda: [start(place, "mirrored-again", *mirrored, *MANY)],
        "two": lambda: start_two(place, "two", *MANY),
        "two-again": lambda: start_two(place, "two-again", *MANY),
    }.items():
        codes, errors = ended(*processes())
        assert set(codes) == {0}, (name, errors)
    for name in ("mirrored", "two"):
        assert losses(place, name) == pytest.approx(losses(place, "one"), rel=1e-4)
        assert len(losses(place, name)) == 100 and losses(place, name) == losses(place, f"{name}-again")
        again = weights(place, f"{name}-again")
        assert [path for path, value in weights(place, name).items() if not np.array_equal(value, again[path])] == []


def until_saved(folder, name):
    deadline = time.monotonic() + 150
    while not find(folder / name / "checkpoints") and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.slow
def test_when_a_process_is_killed_the_other_ends_and_both_go_on_to_the_bits_of_an_undisturbed_run(place):
    begun = time.monotonic()
    processes = start_two(place, "killed", *LONG)
    until_saved(place, "killed")
    processes[1].kill()
    killed = time.monotonic()
    codes, errors = ended(*processes)
    assert codes == [75, -9], errors
    assert re.search(r"another process of this run is gone: 127\.0\.0\.1:\d+ \(", errors[0]), errors[0]
    assert time.monotonic() - killed < 60 + (killed - begun)  # bounded, on a machine that may be busy
    assert_goes_on_as_if_undisturbed(place, "killed")


@pytest.mark.slow
def test_when_a_process_stands_still_the_other_ends_and_both_go_on_to_the_bits_of_an_undisturbed_run(place):
    begun = time.monotonic()
    processes = start_two(place, "still", *LONG)
    until_saved(place, "still")
    processes[1].send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    error = processes[0].communicate(timeout=200)[1]
    processes[1].kill()  # a process that stands still can only be killed
    processes[1].communicate(timeout=60)
    assert processes[0].returncode == 75, error
    assert re.search(r"another process of this run is gone: 127\.0\.0\.1:\d+ \(.*heartbeats", error), error
    assert time.monotonic() - stopped < 60 + (stopped - begun)
    assert_goes_on_as_if_undisturbed(place, "still")


@pytest.mark.slow
def test_when_a_process_waits_for_something_else_the_other_ends_after_its_patience(place):
    impatient = (*LONG, "--set", "training.strategy.patience_seconds=30")
    processes = start_two(place, "waiting", *impatient, waits_after=40)
    error = processes[0].communicate(timeout=200)[1]
    processes[1].kill()
    processes[1].communicate(timeout=60)
    assert processes[0].returncode == 75, error
    assert "another process of this run does not come: updates are not finished after 30 s" in error
    assert find(place / "waiting" / "checkpoints")[-1].step <= 40


@pytest.mark.slow
@pytest.mark.parametrize("still", [0, 1])
def test_when_a_process_stands_still_before_tensorflow_begins_the_other_ends_after_the_time_to_meet(place, still):
    programs = [("-m", "seqcfg"), ("-m", "seqcfg")]
    programs[still] = ("-c", STANDING_STILL)
    name = f"still-{still}"
    processes = start_two(place, name, *LONG, "--set", "training.strategy.meeting_seconds=30", programs=programs)
    try:
        error = processes[1 - still].communicate(timeout=200)[1]
    finally:
        processes[still].kill()
        processes[still].communicate(timeout=60)
    assert processes[1 - still].returncode == 75, error
    assert "another process of this run does not come: TensorFlow has not begun after 30 s" in error


def assert_goes_on_as_if_undisturbed(place, name):
    """A run of two processes that lost one, started again, has the bits of one that lost none."""
    end = find(place / name / "checkpoints")[-1].step + 20
    for run in (name, f"{name}-undisturbed"):
        codes, errors = ended(*start_two(place, run, *LONG, "--set", f"training.steps={end}"))
        assert codes == [0, 0], errors
    one, other = weights(place, name), weights(place, f"{name}-undisturbed")
    assert [path for path, value in one.items() if not np.array_equal(value, other[path])] == []
