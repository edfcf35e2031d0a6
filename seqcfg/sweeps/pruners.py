"""Giving up early on runs that will not win. A curve is a list of (step, figure), steps rising."""

from __future__ import annotations

import math
import statistics

from seqcfg.component.component import param
from seqcfg.component.kinds import Pruner
from seqcfg.component.types import NonNegativeInt, PositiveInt

Curve = list[tuple[int, float]]


class MedianRule(Pruner, type="median"):
    """Gives up when the best figure so far is worse than the median of the others' best by the same step (Golovin et al. 2017)."""

    warmup_steps: NonNegativeInt = param(default=0, doc="No run is given up before this step.")
    num_others: PositiveInt = param(default=4, doc="How many other runs must have come as far.")

    def is_hopeless(self, curve: Curve, others: list[Curve], higher: bool) -> bool:
        """Whether the run of `curve` should end; `others` are runs of other settings, whether they are done or not."""
        if not curve or curve[-1][0] < self.warmup_steps:
            return False
        step = curve[-1][0]
        reached = [best_until(other, step, higher) for other in others if other and other[-1][0] >= step]
        if len(reached) < self.num_others:
            return False
        return _is_worse(best_until(curve, step, higher), statistics.median(reached), higher)


class Halving(Pruner, type="halving"):
    """Asynchronous successive halving (Li et al. 2018, arXiv:1810.05934): of the runs that reach a rung, one in `factor` goes on."""

    first_steps: PositiveInt = param(default=1000, doc="Step of the first rung; each further one is `factor` times as far.")
    factor: PositiveInt = param(default=3, doc="One run in so many passes a rung.")

    def check(self):
        if self.factor < 2:
            yield "factor", "of one run in one none is given up", "3 is usual"

    def is_hopeless(self, curve: Curve, others: list[Curve], higher: bool) -> bool:
        """Whether the run is outside the best share at the last rung it has reached."""
        rung = self.first_steps
        if not curve or curve[-1][0] < rung:
            return False
        while curve[-1][0] >= rung * self.factor:
            rung *= self.factor
        own = best_until(curve, rung, higher)
        reached = [best_until(other, rung, higher) for other in others if other and other[-1][0] >= rung]
        places = max(1, (len(reached) + 1) // self.factor)
        return len(reached) + 1 >= self.factor and sum(_is_worse(own, one, higher) for one in reached) >= places


def best_until(curve: Curve, step: int, higher: bool) -> float:
    """The best figure up to a step; the worst there is where no figure is a number."""
    seen = [value for at, value in curve if at <= step and not math.isnan(value)]
    return (max if higher else min)(seen, default=-math.inf if higher else math.inf)


def _is_worse(value: float, than: float, higher: bool) -> bool:
    return value < than if higher else value > than
