"""A rate that never changes after its warm-up."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import NonNegativeInt, PositiveFloat
from seqcfg.lazy import tf
from seqcfg.schedules.warmup import warmup_factor


class Constant(Schedule, type="constant"):
    """rate(t) = value, reached linearly over the warm-up."""

    value: PositiveFloat = param(doc="The rate after warm-up.")
    warmup_steps: NonNegativeInt = param(default=0, doc="Updates over which the rate rises linearly from 0; 0 for none.")

    def __call__(self, step: Any) -> Any:
        return tf.constant(self.value, tf.float32) * warmup_factor(step, self.warmup_steps)
