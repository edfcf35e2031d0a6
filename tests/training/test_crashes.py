"""R1, R4, R5, R6, R7, R14: runs that are killed, stopped, starved of disk or robbed of files, and what becomes of them.

The claim is always the same: the run ends with the bits of a run that nothing happened to, or refuses to go on; it
never starts over and never gives other numbers. Numbers of B15: 200 kills, none loses an acknowledged checkpoint.
"""

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from seqcfg.checkpoints.read import find, load_arrays
from seqcfg.runs.records import read
from tests.training.crashing import KINDS, PHASES, assert_no_debris, handles, hit, moment, resumed, saved_steps, updates_made

pytestmark = pytest.mark.xdist_group("crashes")


def disturb(place, name, kind, strike, most):
    """Runs to the end, with strike(number of the attempt) -> (exit code, whether it hit) in at most `most` attempts.

    Returns how many hit. After each, no checkpoint that was acknowledged before it is lost.
    """
    hits = 0
    for attempt in range(most):
        acknowledged = saved_steps(place.folder / name)
        code, is_hit = strike(attempt)
        there = {info.step for info in find(place.folder / name / "checkpoints")}
        assert not acknowledged or max(there) >= max(acknowledged), "an acknowledged checkpoint was lost"
        hits += is_hit
        if code == 0:
            break
    assert place.run(name, kind) == 0, place.log(name).read_text()
    assert_no_debris(place.folder / name)
    return hits


def kill(place, name, kind, dice, early):
    """A strike by SIGKILL in any phase; `early` is the share of first attempts that end before their first checkpoint."""

    def strike(attempt):
        process, run = place.start(name, kind), place.folder / name
        has_saved = bool(find(run / "checkpoints"))
        phase = dice.choice(PHASES) if has_saved else "start" if attempt == 0 and dice.random() < early else "first checkpoint"
        code = hit(place, process, signal.SIGKILL, moment(phase, run, process, dice, place.starts[kind]))
        assert code in (0, -signal.SIGKILL), place.log(name).read_text()
        return code, code != 0

    return strike


def test_r1_a_run_killed_at_random_moments_ends_with_the_bits_of_an_undisturbed_one(place):
    place.whole("all")
    dice = random.Random(1)
    assert disturb(place, "killed", "all", kill(place, "killed", "all", dice, early=0), 3)
    place.assert_same_end("killed", "all")
    assert resumed(place.log("killed"))


def test_r23_a_run_that_overflows_stops_and_names_step_examples_and_layer(place):
    """R23: no update that was left out is hidden; `replay` makes it again to the bit."""
    settings = ("training.schedule.value=1e30", "training.optimizer={type: sgd}", "training.non_finite.action=stop")
    words = [word for setting in settings for word in ("--set", setting)]
    log = place.log("overflow")
    assert place.server.run(*place.command("overflow", "plain"), *words, log=log) == 1
    text = log.read_text()
    assert "step 2 is not finite (training.non_finite.action is stop): the layer model/decoder/layer/expand: its output has" in text
    assert "Traceback" not in text
    run = place.folder / "overflow"
    events = [record for record in read(run / "records.jsonl", "event") if "non_finite" in record]
    assert [(event["step"], f"examples {', '.join(map(str, event['examples']))}" in text) for event in events] == [(2, True)]
    data = ["--cache-root", place.folder / "prepared"]
    assert place.server.run("replay", run, "--step", 2, *data, log=place.log("replay")) == 0
    replayed = place.log("replay").read_text()
    assert "loss and gradient norm have the run's bits" in replayed and "not finite: the layer model/decoder" in replayed


def test_any_update_is_made_again_with_the_bits_of_the_run(place):
    run = place.whole("all")
    assert place.server.run("replay", run, "--step", 36, "--cache-root", place.folder / "prepared", log=place.log("again")) == 0
    assert "have the run's bits; all variables have the bits of the checkpoint of this step" in place.log("again").read_text()


@pytest.mark.parametrize(("budget", "lifted", "reason"), [
    ("training.max_tokens=2000", "training.max_tokens=null", "tokens were learnt from"),
    pytest.param("training.max_epochs=0.5", "training.max_epochs=null", "steps are done", marks=pytest.mark.slow),
])  # fmt: skip
def test_a_run_whose_budget_is_spent_goes_on_to_the_same_bits_when_it_gets_more(place, budget, lifted, reason):
    name = budget.partition("=")[0]
    assert place.run(name, "plain", "--set", budget) == 0
    run = place.folder / name
    ended = find(run / "checkpoints")[-1].step
    assert 1 < ended < place.steps and reason in place.log(name).read_text()
    if "tokens" in budget:
        *_, before, last = itertools.accumulate(record["tokens"] for record in read(run / "records.jsonl", "train"))
        assert before < 2000 <= last
    words = ["train", run, "--set", lifted, "--cache-root", place.folder / "prepared"]
    assert place.server.run(*words, log=place.log(name)) == 0, place.log(name).read_text()
    one, two = (load_arrays(find(folder / "checkpoints")[-1].path) for folder in (place.whole("plain"), run))
    assert [path for path in one if one[path].tobytes() != two[path].tobytes()] == []


@pytest.mark.slow
def test_patience_and_budgets_end_a_run_at_the_same_step_however_often_it_is_interrupted(place):
    stop = "training.early_stopping={patience: 1, min_improvement: 0.6}"
    words = ["--set", stop, "--set", "training.max_epochs=7"]
    steps = []
    for name, is_killed in (("early", False), ("early-killed", True)):
        command = [*place.command(name, "plain"), *words]
        if is_killed:
            process = place.server.start(*command)
            assert hit(place, process, signal.SIGKILL, lambda: updates_made(place.folder / name) >= 11) == -signal.SIGKILL  # noqa: B023
        assert place.server.run(*command, log=place.log(name)) == 0
        steps.append(find(place.folder / name / "checkpoints")[-1].step)
    assert steps[0] == steps[1] < 40
    assert "no better loss in 1 validations" in place.log("early").read_text()


@pytest.mark.slow
def test_memory_of_a_long_run_is_flat(place):
    """10,000 updates with records, validations and checkpoints: what the process holds does not grow after the first fifth."""
    words = [
        "--set",
        "training.steps=10000",
        "--set",
        "training.checkpoint.every_steps=100",
        "--set",
        "training.validation.every_steps=500",
    ]
    assert place.server.run(*place.command("long", "plain"), *words, "--set", "training.log_every_steps=100", log=place.log("long")) == 0
    held = {record["step"]: record["memory_bytes"] for record in read(place.folder / "long" / "records.jsonl", "train")}
    after = [held[step] for step in sorted(held) if step >= 2000]
    assert max(after[-10:]) - max(after[:10]) < 8 * 2**20, [round(value / 2**20) for value in after[::5]]


KILLS_PER_KIND = 29  # 7 kinds, 203 kills
COUNTED = {}  # {kind: (kills, how often a run went on from a checkpoint)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_r1_r4_no_one_of_200_kills_changes_a_bit_or_leaves_debris(long_place, kind, record_property):
    place = long_place
    place.whole(kind)
    dice, kills, from_checkpoints, number = random.Random(f"kills {kind}"), 0, 0, 0
    while kills < KILLS_PER_KIND:
        name = f"{kind}-{number}"
        kills += disturb(place, name, kind, kill(place, name, kind, dice, early=0.6), KILLS_PER_KIND - kills)
        place.assert_same_end(name, kind)
        from_checkpoints += resumed(place.log(name))
        shutil.rmtree(place.folder / name)
        number += 1
    told = f"{kind}: {kills} kills in {number} runs, {from_checkpoints} times on from a checkpoint, no bit differs"
    record_property("told", told)
    print(told)
    COUNTED[kind] = (kills, from_checkpoints)


@pytest.mark.slow
def test_r1_most_of_the_kills_are_followed_by_a_run_that_goes_on_from_a_checkpoint():
    if len(COUNTED) < len(KINDS):
        pytest.skip("not all kinds were killed in this process")
    kills, from_checkpoints = map(sum, zip(*COUNTED.values(), strict=True))
    assert kills >= 200 and from_checkpoints >= 150, COUNTED


def stop(place, name, kind, dice, phases):
    """A strike by SIGTERM in any phase; counts the phases in which it came to a living process.

    One that stops in good order has saved its last update; one without a state leaves at once.
    """

    def strike(attempt):
        phase = "import" if attempt == 0 and dice.random() < 0.5 else dice.choice(("start", "steps", "saving", "validation"))
        run, own = place.folder / name, ("--cache-root", place.folder / f"prepared-{name}")  # prepares the data, too
        process = place.server.start(*place.command(name, kind, *own), log=place.log(name), imports=phase == "import")
        place.comes_to(process, lambda: handles(process, signal.SIGTERM))
        where = "start" if phase == "import" else phase
        code = hit(place, process, signal.SIGTERM, moment(where, run, process, dice, place.starts[kind]))
        assert code in (0, 75), place.log(name).read_text()
        assert "the time to stop in good order is over" not in place.log(name).read_text()
        assert updates_made(run) == max([0, *(info.step for info in find(run / "checkpoints"))])
        phases[phase] += code == 75
        return code, code == 75

    return strike


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells which signals a process handles")
def test_r14_a_run_stopped_at_50_moments_asks_to_be_submitted_again_and_ends_with_the_same_bits(long_place, record_property):
    place = long_place
    place.whole("all")
    dice, phases, attempts, from_checkpoints, number = random.Random("stops"), Counter(), 0, 0, 0
    while attempts < 50:
        name = f"stopped-{number}"
        strike, made = stop(place, name, "all", dice, phases), []
        disturb(place, name, "all", lambda attempt: made.append(attempt) or strike(attempt), 50 - attempts)  # noqa: B023
        attempts += len(made)
        place.assert_same_end(name, "all")
        from_checkpoints += resumed(place.log(name))
        shutil.rmtree(place.folder / name)
        number += 1
    told = f"{attempts} signals in {number} runs, {dict(phases)} to a living process, {from_checkpoints} times on from a checkpoint"
    record_property("told", told)
    print(told)
    assert sum(phases.values()) >= 40, told
    assert all(phases[phase] for phase in ("import", "start", "steps", "saving", "validation")), told


def damage_truncate(path, dice):
    path.write_bytes(path.read_bytes()[: dice.randrange(path.stat().st_size)])


def damage_flip(path, dice):
    content = bytearray(path.read_bytes())
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    path.write_bytes(content)


def damage_delete(path, dice):
    path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("damage", [damage_truncate, damage_flip, damage_delete])
def test_r5_a_damaged_newest_checkpoint_is_named_and_the_run_ends_with_the_same_bits(place, damage):
    whole, dice = place.whole("plain"), random.Random(damage.__name__)
    for number in range(5):
        name = f"{damage.__name__}-{number}"
        shutil.copytree(whole, place.folder / name)
        newest = find(place.folder / name / "checkpoints")[-1].path
        damage(dice.choice(sorted(newest.iterdir())), dice)
        assert place.run(name, "plain") == 0
        assert f"{newest.name} is damaged" in place.log(name).read_text()
        place.assert_same_end(name, "plain")


@pytest.mark.slow
def test_r6_no_lost_file_makes_a_run_start_over_or_change(place):
    """Deletes each file of a run directory in turn: the run goes on to the same bits, or refuses."""
    whole = place.whole("plain")
    begun = place.folder / "begun"
    shutil.copytree(whole, begun)
    shutil.rmtree(find(begun / "checkpoints")[-1].path)
    refused = 0
    for path in sorted(path.relative_to(begun) for path in begun.rglob("*") if path.is_file()):
        name = "without-" + str(path).replace("/", "-")
        shutil.copytree(begun, place.folder / name)
        (place.folder / name / path).unlink()
        code = place.run(name, "plain")
        text = place.log(name).read_text()
        assert code in (0, 1) and "Traceback" not in text, text
        if code == 0:
            one, two = (load_arrays(find(run / "checkpoints")[-1].path) for run in (whole, place.folder / name))
            assert all(np.array_equal(one[key], two[key]) for key in one)
        refused += code
    assert refused < 8


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("room", [0.5, 1.5, 2.5, 3.5])
def test_r7_a_full_disk_loses_no_checkpoint_and_is_told_by_the_exit_code(place, room, tmp_path):
    """The run lies on a file system that holds `room` checkpoints besides the other files; then the disk is made larger."""
    whole = place.whole("plain")
    size = sum(file.stat().st_size for file in find(whole / "checkpoints")[-1].path.iterdir())
    pages = int(4096 * 20 + room * (size + 3 * 4096))
    name = f"full-{room}"
    (place.folder / name).mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={pages}", "tmpfs", place.folder / name], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        code = place.run(name, "plain")
        text = place.log(name).read_text()
        steps = [info.step for info in find(place.folder / name / "checkpoints") if not info.damage()]
        assert (code == 0) == (40 in steps), text
        assert "Traceback" not in text, text
        assert not saved_steps_of(place.folder / name) or max(steps) >= max(saved_steps_of(place.folder / name))
        subprocess.run(["mount", "-o", "remount,size=50m", place.folder / name], check=True)
        assert place.run(name, "plain") == 0, place.log(name).read_text()
        place.assert_same_end(name, "plain")
    finally:
        subprocess.run(["umount", place.folder / name], check=True)


def saved_steps_of(run):
    """As `saved_steps`, of records that a full disk may have torn."""
    path, found = run / "records.jsonl", []
    for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else []:
        found += [json.loads(line)["saved"]] if b'"saved"' in line else []
    return found
