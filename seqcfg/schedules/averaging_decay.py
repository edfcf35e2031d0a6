"""The decay of a moving average that forgets early values quickly."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import Fraction
from seqcfg.lazy import tf


class AveragingDecay(Schedule, type="averaging_decay"):
    """rate(t) = min(decay, (1 + t) / (10 + t)): the decay of a moving average of weights, low while they still change fast."""

    decay: Fraction = param(default=0.9999, doc="Highest decay.")

    def __call__(self, step: Any) -> Any:
        t = tf.cast(step, tf.float32)
        return tf.minimum(self.decay, (1.0 + t) / (10.0 + t))
