"""Queue: which run of a sweep comes next, agreed on by all processes that work on it."""

from __future__ import annotations

import contextlib
import json
import statistics
import threading
from collections.abc import Iterator
from pathlib import Path

from seqcfg.data.lock import exclusive
from seqcfg.errors import UserError
from seqcfg.runs.lock import RunLock
from seqcfg.sweeps.explorations import Seen
from seqcfg.sweeps.plan import Plan, PlannedRun, read_lines
from seqcfg.sweeps.progress import FINISHED, PRUNED, Standing, standing
from seqcfg.sweeps.space import Values, plain


class Queue:
    """Hands out runs, each to one worker at a time; threads and processes may share the sweep's folder."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self._guard = threading.Lock()
        self._proposed = [entry["values"] for entry in read_lines(plan.folder / "trials.jsonl")]

    def trials(self) -> list[Values]:
        """The settings known so far: all of them, unless later ones depend on results."""
        exploration, space = self.plan.settings.exploration, self.plan.settings.over
        if exploration.looks_back:
            return self._proposed[: exploration.count(space)]
        return [exploration.propose(space, index, [], self.plan.is_higher_better) for index in range(exploration.count(space))]

    def runs(self) -> list[PlannedRun]:
        """All runs of the trials known so far, in the order in which they are made, none twice.

        Where trials do not depend on one another, all of them are tried with the first seed first.
        """
        planned = [self.plan.runs(index, values) for index, values in enumerate(self.trials())]
        is_by_trial = self.plan.settings.exploration.looks_back
        ordered = [run for runs in planned for run in runs] if is_by_trial else [run for runs in zip(*planned) for run in runs]
        return list({run.name: run for run in ordered}.values())

    def standings(self) -> list[Standing]:
        return [standing(self.plan, run) for run in self.runs()]

    @contextlib.contextmanager
    def take(self) -> Iterator[tuple[PlannedRun | None, bool]]:
        """(a run that is this worker's own within the block or None, whether others are at work, so that more may come)."""
        with contextlib.ExitStack() as held:
            yield self._claim(held)

    def _claim(self, held: contextlib.ExitStack) -> tuple[PlannedRun | None, bool]:
        with self._guard, exclusive(self.plan.folder / "queue.lock", lambda: None):
            self._proposed = [entry["values"] for entry in read_lines(self.plan.folder / "trials.jsonl")]
            is_busy = False
            while True:
                for run in self.runs():
                    if standing(self.plan, run).is_open:
                        if self._is_claimed(run, held):
                            return run, True
                        is_busy = True
                if not self._propose():
                    return None, is_busy

    def _is_claimed(self, run: PlannedRun, held: contextlib.ExitStack) -> bool:
        """Claims a run for this worker, unless another has it or its training outlived the worker that began it."""
        claim = RunLock(self.plan.folder / "claims" / run.name)
        try:
            claim.acquire()
        except UserError:
            return False
        if is_locked(self.plan.folder / "runs" / run.name):
            claim.release()
            return False
        held.callback(claim.release)
        return True

    def _propose(self) -> bool:
        """Adds a trial where the exploration has another one to propose."""
        plan = self.plan
        exploration, space = plan.settings.exploration, plan.settings.over
        if not exploration.looks_back or len(self._proposed) >= exploration.count(space):
            return False
        values = exploration.propose(space, len(self._proposed), self._seen(), plan.is_higher_better)
        values = {path: plain(value) for path, value in values.items()}
        plan.check([values])
        with open(plan.folder / "trials.jsonl", "ab", buffering=0) as file:
            file.write(json.dumps({"values": values}).encode() + b"\n")
        self._proposed.append(values)
        return True

    def _seen(self) -> list[Seen]:
        found = []
        for index, values in enumerate(self._proposed):
            done = [one for one in (standing(self.plan, run) for run in self.plan.runs(index, values)) if one.score is not None]
            whole = [one.score for one in done if one.state == FINISHED and one.score is not None]
            cut = [one.score for one in done if one.state == PRUNED and one.score is not None]
            score = statistics.fmean(whole or cut) if whole or cut else None
            found.append(Seen(values, score, is_pruned=not whole and bool(cut)))
        return found


def is_locked(folder: Path) -> bool:
    """Whether a process is at work in a run directory."""
    if not folder.is_dir():
        return False
    try:
        with RunLock(folder):
            return False
    except UserError:
        return True
