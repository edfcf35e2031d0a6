"""Half a cosine from the peak down to a floor."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from seqcfg.lazy import tf
from seqcfg.schedules.warmup import warmup_factor


class Cosine(Schedule, type="cosine"):
    """rate(t) = floor + (peak - floor) (1 + cos(pi min(1, (t - w) / (T - w)))) / 2 after w warm-up steps (arXiv:1608.03983)."""

    peak: PositiveFloat = param(doc="Highest rate, reached when the warm-up ends.")
    floor: NonNegativeFloat = param(default=0.0, doc="Rate at the end and after it.")
    decay_steps: PositiveInt = param(doc="Update T at which the floor is reached, counted from the start of training.")
    warmup_steps: NonNegativeInt = param(default=0, doc="Updates over which the rate rises linearly from 0; 0 for none.")

    def check(self):
        if self.warmup_steps >= self.decay_steps:
            yield "warmup_steps", f"{self.warmup_steps} leaves no step for the decay, which ends at {self.decay_steps}", "make it smaller"
        if self.floor > self.peak:
            yield "floor", f"{self.floor:g} is above the peak of {self.peak:g}", "make it smaller"

    def __call__(self, step: Any) -> Any:
        done = (tf.cast(step, tf.float32) - self.warmup_steps) / (self.decay_steps - self.warmup_steps)
        decay = 0.5 * (1.0 + tf.cos(math.pi * tf.clip_by_value(done, 0.0, 1.0)))
        return (self.floor + (self.peak - self.floor) * decay) * warmup_factor(step, self.warmup_steps)
