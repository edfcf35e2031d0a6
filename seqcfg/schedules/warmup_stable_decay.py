"""Warm-up, a long plateau, and a short decay."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from seqcfg.lazy import tf
from seqcfg.schedules.warmup import warmup_factor


class WarmupStableDecay(Schedule, type="warmup_stable_decay"):
    """The peak from warm-up to decay_start_step, then down to the floor in decay_steps (arXiv:2404.06395, section 4).

    With x the share of the decay that is done: linear 1 - x, sqrt 1 - sqrt(x) (arXiv:2405.18392), exponential
    (floor / peak)^x. A run can be continued from the plateau for as long as one likes.
    """

    peak: PositiveFloat = param(doc="Rate of the plateau.")
    warmup_steps: NonNegativeInt = param(default=0, doc="Updates over which the rate rises linearly from 0; 0 for none.")
    decay_start_step: PositiveInt = param(doc="Update at which the decay begins.")
    decay_steps: PositiveInt = param(doc="Updates that the decay takes.")
    floor: NonNegativeFloat = param(default=0.0, doc="Rate at the end and after it.")
    shape: Literal["linear", "sqrt", "exponential"] = param(default="linear", doc="How the rate falls.")

    def check(self):
        if self.warmup_steps > self.decay_start_step:
            yield "warmup_steps", f"{self.warmup_steps} are not over when the decay begins at {self.decay_start_step}", "make it smaller"
        if self.floor > self.peak:
            yield "floor", f"{self.floor:g} is above the peak of {self.peak:g}", "make it smaller"
        if self.shape == "exponential" and not self.floor:
            yield "floor", "an exponential decay never reaches 0", "give a floor, or another shape"

    def __call__(self, step: Any) -> Any:
        x = tf.clip_by_value((tf.cast(step, tf.float32) - self.decay_start_step) / self.decay_steps, 0.0, 1.0)
        if self.shape == "exponential":
            rate = self.peak * tf.pow(self.floor / self.peak, x)
        else:
            rate = self.floor + (self.peak - self.floor) * (1.0 - (tf.sqrt(x) if self.shape == "sqrt" else x))
        return rate * warmup_factor(step, self.warmup_steps)
