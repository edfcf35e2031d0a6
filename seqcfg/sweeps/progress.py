"""How far the runs of a sweep are, read from the runs themselves."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.history import History, is_number, read_history
from seqcfg.runs.manifest import read_manifest
from seqcfg.sweeps.plan import Plan, PlannedRun
from seqcfg.sweeps.pruners import Curve

FINISHED, PRUNED, FAILED, BEGUN, WAITING = "finished", "pruned", "failed", "begun", "waiting"


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where a run stands. score: its best validation figure so far, None before the first; curve: all of them."""

    run: PlannedRun
    folder: Path
    state: str
    step: int
    score: float | None
    curve: Curve

    @property
    def is_open(self) -> bool:
        """Whether there is something left to do for it."""
        return self.state in (WAITING, BEGUN)


def standing(plan: Plan, run: PlannedRun) -> Standing:
    """The state of one run, a finished one of the same fingerprint elsewhere counting as its own."""
    own = plan.folder / "runs" / run.name
    mark = read_mark(plan, run)
    found = own
    state = str(mark.get("state", WAITING))
    if state == WAITING and _is_finished(own):
        state = FINISHED
    if state == WAITING and not RunDirectory.is_run(own) and (other := _elsewhere(plan, run)):
        found, state = other, FINISHED
    if state == WAITING and RunDirectory.is_run(own):
        state = BEGUN
    history = read_history(found / "records.jsonl")
    curve = curve_of(history, plan.metric)
    best = history.best(plan.metric, plan.is_higher_better)
    return Standing(run, found, state, history.step, best.metrics[plan.metric] if best is not None else None, curve)


def curve_of(history: History, metric: str) -> Curve:
    """(step, figure) of each validation that has it."""
    return [(point.step, point.metrics[metric]) for point in history.points if is_number(point.metrics.get(metric), must_be_finite=False)]


def read_mark(plan: Plan, run: PlannedRun) -> dict[str, Any]:
    """How a run ended, as the sweep noted it; empty before."""
    try:
        return json.loads((plan.folder / "marks" / f"{run.name}.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def _is_finished(folder: Path) -> bool:
    if not RunDirectory.is_run(folder) or not (folder / "manifest.textproto").exists():
        return False
    attempts = read_manifest(folder / "manifest.textproto").attempts
    return bool(attempts) and attempts[-1].outcome == FINISHED


def _elsewhere(plan: Plan, run: PlannedRun) -> Path | None:
    """A finished run of the same fingerprint in the folders that the sweep may use."""
    return next((one.folder for one in plan.known if one.status == FINISHED and one.fingerprint == run.fingerprint), None)
