"""A fall along a sigmoid, for probabilities as for rates."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import PositiveFloat, PositiveInt
from seqcfg.lazy import tf


class InverseSigmoid(Schedule, type="inverse_sigmoid"):
    """rate(t) = value k / (k + exp(t / k)): near the value at first, half of it at t = k log k (arXiv:1506.03099, section 2.4)."""

    value: PositiveFloat = param(default=1.0, doc="Rate at the start, nearly.")
    decay_steps: PositiveInt = param(doc="The k of the formula.")

    def __call__(self, step: Any) -> Any:
        k = float(self.decay_steps)
        return self.value * tf.sigmoid(tf.math.log(k) - tf.cast(step, tf.float32) / k)
