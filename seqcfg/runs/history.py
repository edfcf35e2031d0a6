"""History: what a run's records say, every validation with what it had cost by then in steps, tokens and time."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from seqcfg.runs import records

Budget = Literal["step", "tokens", "seconds"]


@dataclasses.dataclass(frozen=True)
class Point:
    """One validation: after `step` updates, `tokens` (weighted) trained on and `seconds` of training. metrics {name: value}."""

    step: int
    tokens: float
    seconds: float
    metrics: dict[str, float]

    def cost(self, budget: Budget) -> float:
        return float(getattr(self, budget))


@dataclasses.dataclass(frozen=True)
class History:
    """points: validations, oldest first; train: the training records. Totals count what the run has done so far."""

    points: list[Point]
    train: list[dict[str, Any]]
    step: int
    tokens: float
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        """The median over the records; 0 without records. The first record is left out: it holds the compilation."""
        speeds = [record["tokens_per_second"] for record in self.train if is_number(record.get("tokens_per_second"))]
        return statistics.median(speeds[1:] or speeds) if speeds else 0.0

    @property
    def seconds_per_step(self) -> float:
        """Training time per update, without the first record."""
        first = self.train[0] if len(self.train) > 1 else {"step": 0, "seconds": 0.0}
        steps = self.step - first["step"]
        return (self.seconds - first.get("seconds", 0.0)) / steps if steps > 0 else 0.0

    def best(self, metric: str, is_higher_better: bool) -> Point | None:
        """The validation with the best finite value; of equal ones the earliest. None where nothing was measured."""
        measured = [point for point in self.points if is_number(point.metrics.get(metric))]
        sign = -1 if is_higher_better else 1
        return min(measured, key=lambda point: sign * point.metrics[metric], default=None)

    def at(self, budget: Budget, amount: float) -> Point | None:
        """The last validation that had cost no more than `amount`; None where the first had cost more."""
        within = [point for point in self.points if point.cost(budget) <= amount * (1 + 1e-12)]
        return within[-1] if within else None


def read_history(path: Path) -> History:
    """The history in a records.jsonl; empty where there is none. Raises UserError, naming the line, where it is damaged."""
    return history_of(records.read(path))


def history_of(found: Iterable[dict[str, Any]]) -> History:
    """The history that records tell, in the order written."""
    points: list[Point] = []
    train: list[dict[str, Any]] = []
    step, tokens, seconds = 0, 0.0, 0.0
    for record in found:
        step = max(step, record["step"])
        if record["kind"] == "train":
            train.append(record)
            tokens += _finite(record.get("tokens"))
            seconds += _finite(record.get("seconds"))
        elif record["kind"] == "validation":
            metrics = {name: float(value) for name, value in record.items() if name not in ("step", "kind") and is_number(value, False)}
            points.append(Point(record["step"], tokens, seconds, metrics))
    return History(points, train, step, tokens, seconds)


def is_number(value: Any, must_be_finite: bool = True) -> bool:
    """Whether this is a number, and no truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and (not must_be_finite or math.isfinite(value))


def _finite(value: Any) -> float:
    return float(value) if is_number(value) else 0.0
