"""R1, R4, R5, R6, R7, R14: runs that are killed, stopped, starved of disk or robbed of files, and what becomes of them.

The claim is always the same: the run ends with the bits of a run that nothing happened to, or refuses to go on; it
never starts over and never gives other numbers. Numbers of B15: 200 kills, none loses an acknowledged checkpoint.
"""

import contextlib
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from seqcfg.checkpoints.read import find, load_arrays
from seqcfg.runs.records import read

HERE = Path(__file__).parent
RECIPE = HERE / "crash.yaml"
spec = importlib.util.spec_from_file_location("fork_server", HERE / "fork_server.py")
fork_server = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fork_server)
pytestmark = pytest.mark.xdist_group("crashes")

LEARNERS = "{table: {weights: ['*/table'], optimizer: {type: sgd}}, rest: {weights: ['model/decoder/*'], every_steps: 2}}"
KINDS = {
    "plain": [],
    "accumulated": ["training.accumulate_batches=3"],
    "averaged": ["training.ema_decay=0.9"],
    "alternating": [f"training.learners={LEARNERS}"],
    "packed": ["data.batching.packing=true"],
    "bfloat16": ["training.precision=bfloat16"],
    "all": ["training.accumulate_batches=2", "training.ema_decay=0.9", f"training.learners={LEARNERS}", "training.precision=bfloat16"],
}


class Place:
    """A folder of runs of one recipe, and the undisturbed one of each kind."""

    def __init__(self, folder, server):
        self.folder, self.server = folder, server
        self.seconds = {}

    def command(self, name, kind):
        settings = [word for setting in KINDS[kind] for word in ("--set", setting)]
        return ["train", RECIPE, "--run", self.folder / name, "--cache-root", self.folder / "prepared", *settings]

    def run(self, name, kind):
        return self.server.run(*self.command(name, kind), log=self.log(name))

    def start(self, name, kind):
        return self.server.start(*self.command(name, kind), log=self.log(name))

    def log(self, name):
        return self.folder / f"{name}.log"

    def whole(self, kind):
        """The undisturbed run, made when first asked for."""
        name = f"whole-{kind}"
        if kind not in self.seconds:
            started = time.monotonic()
            assert self.run(name, kind) == 0, self.log(name).read_text()
            self.seconds[kind] = time.monotonic() - started
        return self.folder / name

    def assert_same_end(self, name, kind):
        assert_same(self.whole(kind), self.folder / name)


def assert_same(whole, other):
    """Same variables, same curve, same trace of every update, to the bit."""
    one, two = (load_arrays(find(run / "checkpoints")[-1].path) for run in (whole, other))
    assert one.keys() == two.keys()
    assert [path for path in one if one[path].tobytes() != two[path].tobytes()] == []
    curves = [[(r["step"], r["kind"], r["loss"]) for r in read(run / "records.jsonl") if "loss" in r] for run in (whole, other)]
    assert curves[0] == curves[1]
    assert (whole / "steps.trace").read_bytes() == (other / "steps.trace").read_bytes()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with fork_server.ForkServer() as server:
        yield Place(tmp_path_factory.mktemp("crashes"), server)


def disturb(place, name, kind, dice, moments, signals=(signal.SIGKILL,)):
    """Runs to the end, with a signal at a random moment of each of at most `moments` attempts; returns how many arrived."""
    arrived = 0
    for _ in range(moments):
        acknowledged = saved_steps(place.folder / name)
        process = place.start(name, kind)
        number = dice.choice(signals)
        time.sleep(dice.uniform(0, place.seconds[kind]))
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)
        code = place.server.wait(process)
        assert code in (0, 75, -number), place.log(name).read_text()
        there = {info.step for info in find(place.folder / name / "checkpoints")}
        assert not acknowledged or max(there) >= max(acknowledged), "an acknowledged checkpoint was lost"
        if code == 0:
            break
        arrived += 1
    assert place.run(name, kind) == 0, place.log(name).read_text()
    assert_no_debris(place.folder / name)
    return arrived


def saved_steps(run):
    return [record["saved"] for record in read(run / "records.jsonl") if "saved" in record]


def assert_no_debris(run):
    """R4: no more checkpoints than are kept, and nothing else beside them."""
    names = [entry.name for entry in (run / "checkpoints").iterdir()]
    assert len(names) <= 3 + 1 and all(name.startswith("step-") and "." not in name for name in names), names


def test_r1_a_run_killed_at_random_moments_ends_with_the_bits_of_an_undisturbed_one(place):
    place.whole("all")
    disturb(place, "killed", "all", random.Random(1), 3)
    place.assert_same_end("killed", "all")


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


@pytest.mark.slow
def test_patience_and_budgets_end_a_run_at_the_same_step_however_often_it_is_interrupted(place):
    stop = "training.early_stopping={patience: 1, min_improvement: 0.6}"
    words = ["--set", stop, "--set", "training.max_epochs=7"]
    place.whole("all")
    steps = []
    for name, is_killed in (("early", False), ("early-killed", True)):
        command = [*place.command(name, "plain"), *words]
        if is_killed:
            process = place.server.start(*command)
            time.sleep(place.seconds["all"] * 0.7)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            place.server.wait(process)
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


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_r1_r4_no_one_of_200_kills_changes_a_bit_or_leaves_debris(place, kind):
    place.whole(kind)
    dice, kills, number = random.Random(f"kills {kind}"), 0, 0
    while kills < 29:  # 7 kinds, 203 kills
        number += 1
        kills += disturb(place, f"{kind}-{number}", kind, dice, 6)
        place.assert_same_end(f"{kind}-{number}", kind)
        shutil.rmtree(place.folder / f"{kind}-{number}")


@pytest.mark.slow
def test_r14_a_run_stopped_at_random_moments_asks_to_be_submitted_again_and_ends_with_the_same_bits(place):
    place.whole("all")
    dice, stops, number = random.Random("stops"), 0, 0
    while stops < 50:
        number += 1
        stops += disturb(place, f"stopped-{number}", "all", dice, 6, (signal.SIGTERM,))
        place.assert_same_end(f"stopped-{number}", "all")
        shutil.rmtree(place.folder / f"stopped-{number}")


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
