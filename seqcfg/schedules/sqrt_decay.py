"""Decay with the square root of the step, after a flat start."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import NonNegativeInt, PositiveFloat, PositiveInt
from seqcfg.lazy import tf


class SqrtDecay(Schedule, type="sqrt_decay"):
    """rate(t) = scale / sqrt(max(t - offset_steps, flat_steps)) (arXiv:1910.10683, section 3.1.2, with scale 1)."""

    scale: PositiveFloat = param(default=1.0, doc="Factor on the whole schedule; the first rate is scale / sqrt(flat_steps).")
    flat_steps: PositiveInt = param(default=10_000, doc="Updates during which the rate stays at its first value.")
    offset_steps: NonNegativeInt = param(default=0, doc="Updates by which everything is put off.")

    def __call__(self, step: Any) -> Any:
        return self.scale * tf.math.rsqrt(tf.maximum(tf.cast(step, tf.float32) - self.offset_steps, float(self.flat_steps)))


class SqrtDecayToZero(Schedule, type="sqrt_decay_to_zero"):
    """rate(t) = max(0, value (s(t) - s(T)) / (1 - s(T))) with s(t) = sqrt(w / max(t, w)), w = flat_steps and T = end_step.

    A decay with the square root that is bent so as to reach 0. Lingvo's goes on below 0 after T; this one stays at 0.
    """

    value: PositiveFloat = param(doc="Rate during the flat steps.")
    flat_steps: PositiveInt = param(default=10_000, doc="Updates during which the rate stays at its first value.")
    end_step: PositiveInt = param(doc="Update at which the rate is 0.")

    def check(self):
        if self.flat_steps >= self.end_step:
            yield "flat_steps", f"{self.flat_steps} leaves no step for the decay, which ends at {self.end_step}", "make it smaller"

    def __call__(self, step: Any) -> Any:
        last = math.sqrt(self.flat_steps / self.end_step)
        share = tf.sqrt(self.flat_steps / tf.maximum(tf.cast(step, tf.float32), float(self.flat_steps)))
        return tf.maximum(0.0, self.value * (share - last) / (1.0 - last))
