"""R15, R17, R18, R21, R22: jobs of several processes that are told to stop, lose one, become others, meet NaN in one, or go back."""

import json
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.records import read
from tests.distribution.job import Job, assert_same_bits, fork_server
from tests.training.crashing import ROLL_BACK

ENDLESS = ("training.steps=100000", "training.checkpoint.every_steps=20", "training.validation.every_steps=100000")
NUM_DISTURBANCES = int(os.environ.get("SEQCFG_DISTURBANCES", "20"))
pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.slow]


@pytest.fixture(scope="module")
def server():
    with fork_server.ForkServer() as server:
        yield server


@pytest.fixture(scope="module")
def place(tmp_path_factory, server):
    """A folder with prepared data."""
    folder = tmp_path_factory.mktemp("disturbed")
    assert server.run("prepare", Job(server, folder, "").recipe, "--cache-root", folder / "prepared") == 0
    return folder


def assert_ends_as_if_undisturbed(job):
    """Started once more, four processes give what four give that nothing happened to, to the bit."""
    end = (*ENDLESS, f"training.steps={job.saved() + 20}")
    job.finish(4, *end)
    whole = Job(job.server, job.folder, f"{job.name}-whole")
    whole.finish(4, *end)
    assert_same_bits(whole, job, 4)


def test_r15_a_signal_to_one_of_four_makes_all_save_the_same_step_and_the_job_ends_with_the_bits_of_an_undisturbed_one(server, place):
    job = Job(server, place, "signalled")
    processes = job.start(4, *ENDLESS)
    job.wait_for(20)
    os.kill(processes[2], signal.SIGTERM)
    assert job.ended(processes) == [75, 75, 75, 75], job.told()
    assert set(job.last_steps(4)) == {job.saved()}, "all of them end after the step that is saved"
    assert_ends_as_if_undisturbed(job)


def disturb(job, dice):
    """One attempt of a job that loses a process at some moment; (what happened, seconds until the others had ended)."""
    processes, before = job.start(4, *ENDLESS), job.saved()
    victim, number, awaited = dice.randrange(4), dice.choice((signal.SIGKILL, signal.SIGSTOP)), dice.randrange(3)
    if awaited:  # while it trains; otherwise somewhere between the beginning and the first updates
        job.wait_for(before + 20 * awaited)
    time.sleep(dice.uniform(0, 0.3 if awaited else 6))
    os.kill(processes[victim], number)
    begun = time.monotonic()
    others = [process for process in processes if process != processes[victim]]
    codes = job.ended(others)
    seconds = time.monotonic() - begun
    os.kill(processes[victim], signal.SIGKILL)  # a process that stands still can only be killed
    assert job.server.wait(processes[victim]) == -signal.SIGKILL
    told = [text for index, text in enumerate(job.told()) if index != victim]
    for code, text in zip(codes, told, strict=True):  # who never met the others cannot know whether they will ever come
        assert code == 75 or (code == 1 and "in vain for 127.0.0.1:" in text and not awaited), (codes, job.told())
        assert "Traceback" not in text, text
    return f"{number.name} to {victim} after {job.saved() - before} more steps: {codes}", seconds


def test_r17_a_job_that_loses_a_random_process_20_times_ends_with_the_bits_of_an_undisturbed_one(server, place):
    job, dice = Job(server, place, "lost"), random.Random(17)
    for number in range(NUM_DISTURBANCES):
        happened, seconds = disturb(job, dice)
        print(f"{number + 1}: {happened}, {seconds:.1f} s", flush=True)
    assert_ends_as_if_undisturbed(job)


def notes(folder):
    """{batch: [ids that a process read]}, -1 where it left a row to others."""
    found = {}
    for path in sorted(folder.iterdir()):
        for line in path.read_text().splitlines():
            note = json.loads(line)
            found.setdefault(note["batch"], []).append(note["ids"])
    return found


def test_r18_two_four_and_one_processes_go_on_with_the_examples_and_losses_of_one(server, place):
    program = Path(__file__).parent / "noting.py"
    steps = ("training.schedule.value=0.05", "training.log_every_steps=1")
    alone, job = Job(server, place, "alone"), Job(server, place, "changing")
    alone.finish(1, *steps, "training.steps=24", program=program, words=(place / "notes-alone",))
    expected = {batch: ids for batch, (ids,) in notes(place / "notes-alone").items()}
    assert sorted(expected) == list(range(24))
    for count, first, last in ((2, 0, 8), (4, 8, 16), (1, 16, 24)):
        folder = place / f"notes-{count}"
        job.finish(count, *steps, f"training.steps={last}", program=program, words=(folder,))
        noted = notes(folder)
        assert sorted(noted) == list(range(first, last))
        for batch, parts in noted.items():
            rows = np.array(parts)
            assert len(parts) == count and ((rows >= 0).sum(0) <= 1).all(), "no example is read twice"
            assert rows.max(0).tolist() == expected[batch]
    one, other = (np.frombuffer(each.trace(), "<f4").reshape(-1, 2)[:, 0] for each in (alone, job))
    assert len(one) == 24
    np.testing.assert_allclose(other, one, rtol=1e-5)
    left, right = alone.weights(), job.weights()
    for path, value in left.items():
        np.testing.assert_allclose(right[path], value, atol=2e-6, err_msg=path)


@pytest.mark.parametrize(("count", "replica"), [(0, 1), (2, 1), (2, 0)], ids=["mirrored", "other-process", "first-process"])
def test_r21_nan_on_one_replica_alone_is_left_out_by_all_and_their_weights_keep_the_same_bits(server, place, count, replica):
    job, bad = Job(server, place, f"poisoned-{count}-{replica}", "crash.yaml"), 5
    folder = place / f"bits-{count}-{replica}"
    settings = ("training.steps=8", "training.steps_per_call=1", "training.ema_decay=0.9")
    program = Path(__file__).parent / "poisoned.py"
    job.finish(count, *settings, program=program, words=(bad, replica, folder))
    held = [[json.loads(line) for line in path.read_text().splitlines()] for path in folder.iterdir()]
    assert len(held) == max(count, 1)
    learnt = []
    for number, lines in enumerate(zip(*held, strict=True), 1):
        replicas = [value for line in lines for value in line["all"]]
        assert len(replicas) == 2 and len(set(replicas)) == 1, f"replicas differ after step {number}"
        assert {(line["step"], line["left_out"]) for line in lines} == {(number, int(number >= bad))}
        learnt.append(lines[0]["learnt"])
    changed = [number for number in range(2, 9) if learnt[number - 1] != learnt[number - 2]]
    assert changed == [number for number in range(2, 9) if number != bad]
    for index in range(max(count, 1)):
        records = read(RunDirectory(RunDirectory.of_process(job.run, index)).records, "event")
        assert [record["non_finite"] for record in records if "non_finite" in record] == [bad]


def test_r22_processes_go_back_together(server, place):
    """Each finds the same trouble in the sums over all, waits until the first has deleted what came later, and takes up the same state."""
    job = Job(server, place, "back", "crash.yaml")
    assert server.run("prepare", job.recipe, "--cache-root", place / "prepared") == 0
    job.finish(2, *ROLL_BACK)
    told = [read(RunDirectory.of_process(job.run, index) / "records.jsonl", "event") for index in range(2)]
    events = [[record["rolled_back"] for record in one if "rolled_back" in record] for one in told]
    assert [(event["to"], event["trouble"], event["first_batch"], event["last_batch"]) for event in events[0]] == [(10, 16, 10, 17)]
    assert events[0] == events[1] and job.trace(0) == job.trace(1)
