"""Outcome: what runs reached, at their best and at equal cost, and how fast they were."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.comparison.consequences import Quantity
from seqcfg.comparison.sides import Side
from seqcfg.runs.evaluations import StoredEvaluation, find
from seqcfg.runs.history import Budget, Point
from seqcfg.runs.lock import LOCK_FILE, is_owned

WHERE: dict[str, Budget] = {"equal step": "step", "equal tokens": "tokens", "equal time": "seconds"}


@dataclasses.dataclass(frozen=True)
class Row:
    """One validation figure of all sides at one place: best, equal step, equal tokens or equal time.

    limit   the step, tokens or seconds that none of the points had passed; 0 for best
    points  for each side the validation that is compared, None where it measured nothing
    """

    metric: str
    where: str
    is_higher_better: bool
    limit: float
    points: tuple[Point | None, ...]

    @property
    def values(self) -> tuple[float | None, ...]:
        return tuple(point.metrics.get(self.metric) if point is not None else None for point in self.points)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """rows: validation figures; speed: figures of training; states: how each side ended, empty for recipes."""

    rows: list[Row]
    speed: list[Quantity]
    states: tuple[str, ...]


def outcome(sides: list[Side]) -> Outcome:
    """The curves of all sides held against one another; recipes have none."""
    return Outcome(rows(sides), speed(sides), tuple(state(side) for side in sides))


def rows(sides: list[Side]) -> list[Row]:
    """Every validation figure that two sides or more measured: at its best, then at equal step, tokens and time."""
    histories = [side.history for side in sides]
    told = [history for history in histories if history is not None and history.points]
    if not told:
        return []
    names = [name for name in dict.fromkeys(name for one in told for name in one.points[-1].metrics) if _measured(told, name)]
    found = []
    for name in names:
        higher = is_higher_better(sides, name)
        bests = tuple(history.best(name, higher) if history is not None else None for history in histories)
        found.append(Row(name, "best", higher, 0.0, bests))
    if len(told) < 2:
        return found
    for where, budget in WHERE.items():
        limit = min(history.points[-1].cost(budget) for history in told)
        points = tuple(history.at(budget, limit) if history is not None else None for history in histories)
        found += [Row(name, where, is_higher_better(sides, name), limit, points) for name in names]
    return found


def _measured(told: list[Any], name: str) -> bool:
    return sum(any(name in point.metrics for point in history.points) for history in told) >= min(2, len(told))


def is_higher_better(sides: list[Side], name: str) -> bool:
    """Whether a figure is good when it is high: as the recipes' metric of this name says, else as evaluation.best says."""
    for side in sides:
        evaluation: Any = side.experiment.recipe.evaluation
        for metric in getattr(evaluation, "metrics", []):
            if getattr(metric, "label", "") == name:
                return getattr(metric, "better", "higher") == "higher"
        best = getattr(evaluation, "best", None)
        if best is not None and best.metric == name:
            return best.goal == "maximize"
    return False  # losses and what is made of them


def speed(sides: list[Side]) -> list[Quantity]:
    """What training took; None where a side is a recipe."""
    histories = [side.history for side in sides]

    def told(name: str, unit: str, read: Any) -> Quantity:
        return Quantity(name, unit, tuple(read(history) if history is not None and history.step else None for history in histories))

    if not any(history is not None and history.step for history in histories):
        return []
    return [
        told("steps", "", lambda history: history.step),
        told("tokens", "", lambda history: history.tokens),
        told("training time", "seconds", lambda history: history.seconds),
        told("time per step", "seconds", lambda history: history.seconds_per_step),
        told("tokens per second", "", lambda history: history.tokens_per_second),
    ]


def state(side: Side) -> str:
    """How far a run came: finished, or the step it stands at and how its last attempt ended; empty for recipes."""
    if side.run is None or side.history is None:
        return ""
    steps, attempts = getattr(side.experiment.recipe.training, "steps", 0), side.manifest.attempts if side.manifest is not None else []
    if not attempts and not side.history.step:
        return "never trained"
    ended = attempts[-1].outcome if attempts else ""
    if side.step is not None:
        return f"step {side.step:,} of {steps:,}"
    if side.history.step >= steps:
        return f"finished {steps:,} steps"
    if not ended:
        ended = "running" if is_owned(side.run.folder / LOCK_FILE) else "killed"
    return f"{ended} at step {side.history.step:,} of {steps:,}"


def evaluations(side: Side) -> list[StoredEvaluation]:
    """What was measured of a run, by step; at its step alone where the side has one. Folders that are not whole do not count."""
    found = find(side.run.evaluations) if side.run is not None else []
    return [one for one in found if side.step is None or one.step == side.step]
