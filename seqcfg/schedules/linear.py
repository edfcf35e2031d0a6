"""Rates between two points, on a line or a power of it."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from seqcfg.lazy import tf


class Linear(Schedule, type="linear"):
    """rate(t) = start + x (end - start) with x = (t - start_step) / (end_step - start_step), kept within 0 and 1."""

    start: NonNegativeFloat = param(doc="Rate up to start_step.")
    end: NonNegativeFloat = param(doc="Rate from end_step on.")
    start_step: NonNegativeInt = param(default=0, doc="Update at which the rate begins to change.")
    end_step: PositiveInt = param(doc="Update at which it has changed.")

    def check(self):
        if self.start_step >= self.end_step:
            yield "start_step", f"{self.start_step} is not before end_step {self.end_step}", "make it smaller"

    def __call__(self, step: Any) -> Any:
        return self.start + self._share(step) * (self.end - self.start)

    def _share(self, step: Any) -> Any:
        """How much of the way is done, 0 to 1."""
        return tf.clip_by_value((tf.cast(step, tf.float32) - self.start_step) / (self.end_step - self.start_step), 0.0, 1.0)


class Polynomial(Linear, type="polynomial"):
    """As linear, with x^power in place of x; or with 1 - (1 - x)^power where the power is taken from the end.

    `origin: end` gives the polynomial decay that many toolkits use: end + (start - end) (1 - x)^power.
    """

    power: PositiveFloat = param(default=2.0, doc="Exponent; 1 is a line.")
    origin: Literal["start", "end"] = param(default="end", doc="The point at which the curve is flat when the power is above 1.")

    def __call__(self, step: Any) -> Any:
        x = self._share(step)
        if self.origin == "start":
            return self.start + tf.pow(x, self.power) * (self.end - self.start)
        return self.end + tf.pow(1.0 - x, self.power) * (self.start - self.end)
