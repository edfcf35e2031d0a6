"""One rise and one longer fall."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import Fraction, PositiveFloat, PositiveInt
from seqcfg.lazy import tf


class OneCycle(Schedule, type="one_cycle"):
    """Half a cosine up from peak / start_divisor to the peak, then half a cosine down to peak / (start_divisor end_divisor).

    The super-convergence policy of arXiv:1708.07120 with cosine edges; the rise takes rise_share of all the steps.
    """

    peak: PositiveFloat = param(doc="Highest rate.")
    steps: PositiveInt = param(doc="Updates of the whole cycle; the rate stays at its last value after them.")
    rise_share: Fraction = param(default=0.3, doc="Share of the steps in which the rate rises.")
    start_divisor: PositiveFloat = param(default=25.0, doc="The first rate is the peak divided by this.")
    end_divisor: PositiveFloat = param(default=1e4, doc="The last rate is the first one divided by this.")

    def __call__(self, step: Any) -> Any:
        t, turn = tf.cast(step, tf.float32), self.rise_share * self.steps
        first = self.peak / self.start_divisor
        rise = _between(first, self.peak, t / turn)
        fall = _between(self.peak, first / self.end_divisor, (t - turn) / (self.steps - turn))
        return tf.where(t < turn, rise, fall)


def _between(start: float, end: float, share: Any) -> Any:
    """Half a cosine from start to end."""
    return end + (start - end) * 0.5 * (1.0 + tf.cos(math.pi * tf.clip_by_value(share, 0.0, 1.0)))
