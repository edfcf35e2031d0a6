"""Inverse square root decay after a linear warm-up."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import PositiveFloat, PositiveInt
from seqcfg.lazy import tf
from seqcfg.schedules.warmup import warmup_factor


class InverseSqrt(Schedule, type="inverse_sqrt"):
    """rate(t) = peak min((t + 1) / w, sqrt(w / (t + 1))) for t finished updates and w warm-up steps.

    The schedule of arXiv:1706.03762, section 5.3, written by its highest rate instead of by a width.
    """

    peak: PositiveFloat = param(doc="Highest rate, reached when the warm-up ends.")
    warmup_steps: PositiveInt = param(default=4000, doc="Updates over which the rate rises linearly from 0 to the peak.")

    def __call__(self, step: Any) -> Any:
        t = tf.cast(step, tf.float32) + 1.0
        return self.peak * tf.minimum(warmup_factor(step, self.warmup_steps), tf.math.rsqrt(t / self.warmup_steps))
