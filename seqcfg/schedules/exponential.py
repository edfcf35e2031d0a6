"""Rates that fall by equal factors in equal times."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from seqcfg.lazy import tf


class Exponential(Schedule, type="exponential"):
    """rate(t) = start (end / start)^x with x = (t - start_step) / (end_step - start_step), kept within 0 and 1."""

    start: PositiveFloat = param(doc="Rate up to start_step.")
    end: PositiveFloat = param(doc="Rate from end_step on.")
    start_step: NonNegativeInt = param(default=0, doc="Update at which the rate begins to change.")
    end_step: PositiveInt = param(doc="Update at which it has changed.")

    def check(self):
        if self.start_step >= self.end_step:
            yield "start_step", f"{self.start_step} is not before end_step {self.end_step}", "make it smaller"

    def __call__(self, step: Any) -> Any:
        x = tf.clip_by_value((tf.cast(step, tf.float32) - self.start_step) / (self.end_step - self.start_step), 0.0, 1.0)
        return tf.exp(math.log(self.start) + x * (math.log(self.end) - math.log(self.start)))


class HalfLife(Schedule, type="half_life"):
    """rate(t) = value max(floor_share, 2^(-max(0, t - start_step) / half_life_steps)): flat, then halved again and again.

    Lingvo's continuous schedule.
    """

    value: PositiveFloat = param(doc="Rate up to start_step.")
    start_step: NonNegativeInt = param(default=0, doc="Update at which the decay begins.")
    half_life_steps: PositiveInt = param(doc="Updates in which the rate halves.")
    floor_share: NonNegativeFloat = param(default=0.0, doc="Share of the value below which the rate does not fall.")

    def __call__(self, step: Any) -> Any:
        t = tf.maximum(0.0, tf.cast(step, tf.float32) - self.start_step)
        return self.value * tf.maximum(self.floor_share, tf.exp(t * (-math.log(2.0) / self.half_life_steps)))


class StepDecay(Schedule, type="step_decay"):
    """rate(t) = max(floor, value factor^floor(t / every_steps)): a factor at regular intervals."""

    value: PositiveFloat = param(doc="Rate at the start.")
    factor: PositiveFloat = param(doc="What the rate is multiplied with each time.")
    every_steps: PositiveInt = param(default=1, doc="Updates between two such moments.")
    floor: NonNegativeFloat = param(default=0.0, doc="The rate does not fall below this.")

    def __call__(self, step: Any) -> Any:
        times = tf.cast(tf.cast(step, tf.int64) // self.every_steps, tf.float32)
        return tf.maximum(self.floor, self.value * tf.pow(self.factor, times))
