"""Runs of several processes on 127.0.0.1, started again and again at the same addresses as SLURM or Kubernetes would."""

import importlib.util
import json
import os
import signal
import time
from pathlib import Path

from seqcfg.checkpoints.read import find, load_arrays
from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.manifest import read_manifest
from seqcfg.runs.records import read
from tests.distribution.test_meeting import free_addresses

TRAINING = Path(__file__).parents[1] / "training"
spec = importlib.util.spec_from_file_location("fork_server", TRAINING / "fork_server.py")
fork_server = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fork_server)
BOUND_SECONDS = 300  # in which processes end that miss one; a minute is promised on machines that have the time


class Job:
    """One run; `folder` holds its directory, its logs and the prepared data."""

    def __init__(self, server, folder, name, recipe="smallest.yaml"):
        self.server, self.folder, self.name, self.recipe = server, folder, name, TRAINING / recipe
        self.run = folder / name
        self.addresses = free_addresses(4)
        self.attempt = 0

    def start(self, count, *settings, program=None, words=()):
        """The ids of `count` processes; the settings are added to those of the strategy."""
        self.attempt += 1
        workers = list(self.addresses[:count])
        strategy = "training.strategy={type: multi_worker, meeting_seconds: 60}" if count else "training.strategy={type: mirrored}"
        words = [*words, "train", self.recipe, "--run", self.run, "--cache-root", self.folder / "prepared"]
        words += [word for setting in (strategy, *settings) for word in ("--set", setting)]
        configs = [{"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}} for index in range(count)]
        environments = [{"TF_CONFIG": json.dumps(config)} for config in configs] or [{"NOBODY": "else"}]
        return [
            self.server.start(*words, log=self.log(index), environment=environment, program=program)
            for index, environment in enumerate(environments)
        ]

    def log(self, index):
        return self.folder / f"{self.name}-{self.attempt}-{index}.log"

    def told(self):
        """What the processes of this attempt have said."""
        return [path.read_text() for path in sorted(self.folder.glob(f"{self.name}-{self.attempt}-*.log"))]

    def ended(self, processes):
        """Their exit codes; None for one that has not ended in time, which is killed."""
        deadline = time.monotonic() + BOUND_SECONDS
        codes = [self.server.wait(process, max(0.0, deadline - time.monotonic())) for process in processes]
        for process, code in zip(processes, codes, strict=True):
            if code is None:
                os.kill(process, signal.SIGKILL)
                self.server.wait(process)
        return codes

    def finish(self, count, *settings, **more):
        """Runs to the end, undisturbed."""
        codes = self.ended(self.start(count, *settings, **more))
        assert set(codes) == {0}, self.told()

    def saved(self):
        """The step of the newest checkpoint, 0 when there is none."""
        return max((info.step for info in find(self.run / "checkpoints")), default=0)

    def wait_for(self, step):
        """Returns when a checkpoint of this step or a later one is there."""
        deadline = time.monotonic() + BOUND_SECONDS
        while self.saved() < step:
            assert time.monotonic() < deadline, self.told()
            time.sleep(0.02)

    def last_steps(self, count):
        """After which update each process ended."""
        runs = [RunDirectory(RunDirectory.of_process(self.run, index)) for index in range(count)]
        return [read_manifest(run.manifest).attempts[-1].last_step for run in runs]

    def trace(self, index=0):
        """Loss and norm of every update, to the bit, as a process has seen them."""
        return (RunDirectory.of_process(self.run, index) / "steps.trace").read_bytes()

    def weights(self):
        return load_arrays(find(self.run / "checkpoints")[-1].path)


def assert_same_bits(one, other, count):
    """Same variables, same curve, same trace of every update in each of `count` processes."""
    left, right = one.weights(), other.weights()
    assert left.keys() == right.keys()
    assert [path for path in left if left[path].tobytes() != right[path].tobytes()] == []
    curves = [[(r["step"], r["kind"], r["loss"]) for r in read(job.run / "records.jsonl") if "loss" in r] for job in (one, other)]
    assert curves[0] == curves[1]
    assert {job.trace(index) for job in (one, other) for index in range(count)} == {one.trace()}
