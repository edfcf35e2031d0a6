"""Meter: what a run measured between two records."""

from __future__ import annotations

import math
import time
from typing import Any

from seqcfg.training.step import LATEST, MEASURED

NORM = MEASURED.index("norm")


class Meter:
    """Sums measurements between two records; time spent on validation and saving is left out.

    Updates are added one by one, in float64, so that the figures do not depend on how many the host saw at once.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._seconds = 0.0
        self._sums: dict[str, float] = {}
        self._since = time.monotonic()

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps, so that a resumed run writes the records of an undisturbed one."""
        return {"seconds": self._seconds, **self._sums}

    def restore(self, state: dict[str, float]) -> None:
        self._sums = dict(state)
        self._seconds = self._sums.pop("seconds", 0.0)

    def pause(self) -> None:
        """Call after something that is not training; the time since the last `add` is not counted."""
        self._since = time.monotonic()

    def add(self, each: Any) -> None:
        """each [updates, len(MEASURED)]."""
        now = time.monotonic()
        self._seconds, self._since = self._seconds + now - self._since, now
        for row in each.tolist():
            if not math.isfinite(row[NORM]):
                continue  # left out by the state, and by the curve
            for name, value in zip(MEASURED, row, strict=True):
                self._sums[name] = value if name in LATEST else self._sums.get(name, 0.0) + value

    @property
    def is_empty(self) -> bool:
        return not self._sums

    def measured(self) -> dict[str, float]:
        """loss and nll per weighted position; rate, norm; tokens (weighted) per second; share of padding.

        `left_out`, where there are such: examples that the loss cannot use.

        Updates that were left out because they are not finite count nowhere; loss is NaN when no other was made.
        """
        sums = self._sums or dict.fromkeys(MEASURED, 0.0) | {"total": math.nan, "nll": math.nan}
        weight, positions = max(sums["weight"], 1.0), max(sums["positions"], 1.0)
        left_out = {"left_out": sums["left_out"]} if sums.get("left_out") else {}
        return left_out | {
            "loss": sums["total"] / weight,
            "nll": sums["nll"] / weight,
            "rate": sums["rate"],
            "norm": sums["norm"],
            "tokens": sums["weight"],
            "tokens_per_second": sums["weight"] / max(self._seconds, 1e-9),
            "padding": 1.0 - sums["tokens"] / positions,
            "seconds": self._seconds,
        }
