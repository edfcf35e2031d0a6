"""Workers: train the runs of a sweep in processes of their own, and give up those that a pruner calls hopeless."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqcfg.errors import EXIT_OK, UserError
from seqcfg.runs.durable import write_file
from seqcfg.runs.history import read_history
from seqcfg.runs.machine import cores
from seqcfg.sweeps.plan import Plan, PlannedRun
from seqcfg.sweeps.progress import FAILED, FINISHED, PRUNED, curve_of
from seqcfg.sweeps.queue import Queue

POLL_SECONDS = 0.5
MAX_FAILURES = 3  # in a row without one success: then it is not the settings that are wrong
TRAIN = (sys.executable, "-m", "seqcfg", "train")


class Workers:
    """Local workers on one sweep; `extra` are options of `seqcfg train`, `say` gets a line for each run that ends."""

    def __init__(self, queue: Queue, extra: tuple[str, ...], say: Callable[[str], None], command: tuple[str, ...] = TRAIN):
        self.queue, self.plan, self.say = queue, queue.plan, say
        self._command, self._extra = command, extra
        self._stopping = threading.Event()
        self._errors: list[BaseException] = []
        self._failures = 0  # until the first success; below 0 after it
        self.stopped_by = 0

    def run(self, number: int, limit: int | None = None) -> None:
        """Works with so many processes until nothing is left, or until each worker has made `limit` runs.

        SIGINT and SIGTERM end the runs after a checkpoint and then this call.
        """
        before = {number_: signal.signal(number_, self._stop) for number_ in (signal.SIGINT, signal.SIGTERM)}
        try:
            threads = [threading.Thread(target=self._work, args=(place, number, limit)) for place in range(number)]
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():  # a join without end would not let signals through
                    thread.join(POLL_SECONDS)
        finally:
            for number_, handler in before.items():
                signal.signal(number_, handler)
        if self._errors:
            raise self._errors[0]

    def _stop(self, number: int, frame: Any) -> None:
        self.stopped_by = number
        self._stopping.set()

    def _work(self, place: int, number: int, limit: int | None) -> None:
        made = 0
        try:
            while not self._stopping.is_set() and (limit is None or made < limit):
                with self.queue.take() as (run, is_busy):
                    if run is not None:
                        self._train(run, place, number)
                        made += 1
                        continue
                if not is_busy or limit is not None:
                    return
                self._stopping.wait(4 * POLL_SECONDS)  # others are at work: what they leave behind may be taken up
        except BaseException as error:
            self._errors.append(error)
            self._stopping.set()

    def _train(self, run: PlannedRun, place: int, number: int) -> None:
        folder = self.plan.folder / "runs" / run.name
        command = [*self._command, str(self.plan.recipe_file(run)), "--run", str(folder), *self._extra]
        with open(self.plan.folder / "logs" / f"{run.name}.log", "ab") as log:
            # in a session of its own: an interrupt at the terminal reaches it once, through us
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment(place, number), start_new_session=True)
            given_up = self._watch(process, run, folder)
        code, step = process.returncode, read_history(folder / "records.jsonl").step
        if given_up:
            self._mark(run, PRUNED, step, code)
        elif code == EXIT_OK:
            self._failures = -1
            self._mark(run, FINISHED, step, code)
        elif not self._stopping.is_set():
            self._mark(run, FAILED, step, code)
            self._failures += self._failures >= 0
            if self._failures == MAX_FAILURES:
                words = self.plan.folder / "logs" / f"{run.name}.log"
                raise UserError(
                    f"the first {MAX_FAILURES} runs have all failed; the sweep stops", hint=f"the last one's words are in {words}"
                )

    def _watch(self, process: subprocess.Popen, run: PlannedRun, folder: Path) -> bool:
        """Waits for the end of a run; whether it was ended because it was hopeless."""
        seen, is_told, given_up = 0, False, False
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_SECONDS)
            if (self._stopping.is_set() or given_up) and not is_told:
                process.terminate()
                is_told = True
            records = folder / "records.jsonl"
            size = records.stat().st_size if records.exists() else 0
            if not is_told and self.plan.settings.pruner is not None and size != seen:
                seen, given_up = size, self._is_hopeless(run, folder)
        return given_up and process.returncode != EXIT_OK

    def _is_hopeless(self, run: PlannedRun, folder: Path) -> bool:
        plan, pruner = self.plan, self.plan.settings.pruner
        others = [other for other in self.queue.runs() if other.trial != run.trial]
        curves = [curve_of(read_history(plan.folder / "runs" / other.name / "records.jsonl"), plan.metric) for other in others]
        own = curve_of(read_history(folder / "records.jsonl"), plan.metric)
        return pruner is not None and pruner.is_hopeless(own, [curve for curve in curves if curve], plan.is_higher_better)

    def _mark(self, run: PlannedRun, state: str, step: int, code: int) -> None:
        write_file(self.plan.folder / "marks" / f"{run.name}.json", json.dumps({"state": state, "step": step, "code": code}) + "\n")
        log = f"; see {self.plan.folder / 'logs' / run.name}.log" if state == FAILED else ""
        self.say(f"{run.name}: {state} at step {step}{log}")


def clear_failures(plan: Plan) -> int:
    """Forgets the marks of runs that failed, so that they are tried again; returns how many."""
    count = 0
    for path in sorted((plan.folder / "marks").glob("*.json")):
        if json.loads(path.read_text(encoding="utf-8")).get("state") == FAILED:
            path.unlink()
            count += 1
    return count


def environment(place: int, number: int) -> dict[str, str]:
    """The variables of a worker's processes: several share out cores and GPUs."""
    found = dict(os.environ)
    if number > 1:
        found.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, cores() // number)))
        gpus = found.get("CUDA_VISIBLE_DEVICES", "").split(",") if found.get("CUDA_VISIBLE_DEVICES") else _gpus()
        if gpus:
            found["CUDA_VISIBLE_DEVICES"] = gpus[place % len(gpus)]
    return found


def _gpus() -> list[str]:
    """Numbers of the NVIDIA GPUs of this machine, without starting any library."""
    folder = Path("/proc/driver/nvidia/gpus")
    return [str(index) for index in range(len(list(folder.iterdir())))] if folder.is_dir() else []
