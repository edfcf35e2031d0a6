"""Disturbed runs of one tiny recipe: starting them, hitting them at chosen moments, and comparing their ends.

Moments are told by what lies in the run's own folder, never by a clock alone, so that they do not depend on how
fast the machine is just now.
"""

import contextlib
import os
import time
from pathlib import Path

from seqcfg.checkpoints.read import find, load_arrays
from seqcfg.runs.durable import PARTIAL
from seqcfg.runs.records import read
from seqcfg.runs.trace import read_steps

RECIPE = Path(__file__).parent / "crash.yaml"

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


# By these settings gradients depend on the batch alone, nearly. Norms of the batches 14 and 15 are above the bound, and so
# are single ones before them; after the second in a row the run goes back to step 10 and passes over batches 10 to 17.
ROLL_BACK = (
    "training.optimizer={type: sgd}",
    "training.schedule.value=0.001",
    "task.model.decoder.dropout=0.0",
    "training.skip={max_norm: 1.25, max_in_a_row: 2}",
    "training.checkpoint.keep_every_steps=10",
    "training.roll_back={every_steps: 5, least_steps: 3, margin_steps: 2}",
)


class Place:
    """A folder of runs of one recipe, each of `steps` updates, and the undisturbed one of each kind."""

    def __init__(self, folder, server, steps=40):
        self.folder, self.server, self.steps = folder, server, steps
        self.starts = {}

    def command(self, name, kind, *more):
        """The words of `seqcfg train`; `more` wins over what is said here."""
        settings = [word for setting in (f"training.steps={self.steps}", *KINDS[kind]) for word in ("--set", setting)]
        return ["train", RECIPE, "--run", self.folder / name, "--cache-root", self.folder / "prepared", *settings, *more]

    def run(self, name, kind, *more):
        return self.server.run(*self.command(name, kind, *more), log=self.log(name))

    def start(self, name, kind, *more):
        return self.server.start(*self.command(name, kind, *more), log=self.log(name))

    def log(self, name):
        return self.folder / f"{name}.log"

    def whole(self, kind):
        """The undisturbed run, made when first asked for; `starts` then has what its first update cost, in seconds."""
        name = f"whole-{kind}"
        if kind not in self.starts:
            process = self.start(name, kind)
            began = processor_seconds(process)
            self.comes_to(process, lambda: updates_made(self.folder / name))
            self.starts[kind] = processor_seconds(process) - began
            assert self.server.wait(process) == 0, self.log(name).read_text()
        return self.folder / name

    def comes_to(self, process, is_there):
        """Waits for a moment of a process; False when it has ended before."""
        while not is_there():
            if self.server.has_ended(process):
                return False
            time.sleep(0.002)
        return True

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


def updates_made(run):
    """By the run's own trace, which a resumed run cuts at its checkpoint."""
    return len(read_steps(run))


def is_saving(run):
    return any(entry.name.endswith(PARTIAL) for entry in (run / "checkpoints").glob("step-*"))


def handles(process, number):
    """Whether a process has its own handler for a signal (Linux)."""
    with contextlib.suppress(FileNotFoundError), open(f"/proc/{process}/status", encoding="ascii") as file:
        caught = next(line for line in file if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
    return False


PHASES = ("start", *["steps"] * 5, "saving", "validation")


def processor_seconds(process):
    """What a process has computed so far; where the system does not tell, the time that went by."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{process}/stat", encoding="ascii") as file:
        user, system = file.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return time.monotonic()


def moment(phase, run, process, dice, start_seconds):
    """A function that says whether a process of a run has come to a moment of a phase, drawn anew each time.

    start       before the first update of this process: data, tracing, reading the checkpoint
    first ...   as steps, and there is a checkpoint
    steps       after 1 to 24 updates more than were made before, and some milliseconds
    validation  as steps, and that many updates are a multiple of those between validations
    saving      as steps, and a checkpoint is being written
    """
    if phase == "start":
        at = processor_seconds(process) + dice.uniform(0.0, start_seconds)
        return lambda: processor_seconds(process) >= at
    target = updates_made(run) + dice.randint(1, 24)
    if phase == "validation":
        target = -(-target // 10) * 10
    pause, seen = dice.uniform(0.0, 0.01), []

    def is_there():
        if updates_made(run) < target or (phase == "saving" and not is_saving(run)):
            return False
        if phase == "first checkpoint" and not find(run / "checkpoints"):
            return False
        seen.append(time.monotonic())
        return seen[-1] >= seen[0] + (pause if phase != "saving" else 0.0)

    return is_there


def hit(place, process, number, is_there):
    """Sends a signal at a moment of a process; returns its exit code, negative for a signal."""
    if place.comes_to(process, is_there):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)
    return place.server.wait(process)


def resumed(log):
    """How often a run went on from a checkpoint."""
    return log.read_text().count(": goes on after step ")


def saved_steps(run):
    return [record["saved"] for record in read(run / "records.jsonl") if "saved" in record]


def assert_no_debris(run):
    """R4: no more checkpoints than are kept, and nothing else beside them."""
    names = [entry.name for entry in (run / "checkpoints").iterdir()]
    assert len(names) <= 3 + 1 and all(name.startswith("step-") and "." not in name for name in names), names
