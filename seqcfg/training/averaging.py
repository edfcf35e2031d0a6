"""Averages of the weights over the updates, kept beside them and used in evaluation."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.types import NonNegativeInt, PositiveInt
from seqcfg.lazy import tf


class WeightAveraging(Record):
    """Stochastic weight averaging: the plain mean of the weights at start_step and every so many updates after (arXiv:1803.05407)."""

    start_step: NonNegativeInt = param(doc="Update from which weights enter the mean; before it the average is the weights themselves.")
    every_steps: PositiveInt = param(default=1, doc="Updates between two that enter.")

    def share(self, done: Any) -> Any:
        """The share of the weights in the new average after `done` updates: 1 / n for the n-th that enters, else 0."""
        since = done - self.start_step
        count = tf.cast(since // self.every_steps + 1, tf.float32)
        enters = tf.math.floormod(since, self.every_steps) == 0
        return tf.where(since < 0, 1.0, tf.where(enters, 1.0 / tf.maximum(count, 1.0), 0.0))


def moving_decay(decay: float, done: Any) -> Any:
    """d = min(decay, (1 + t) / (10 + t)) after t updates, so that early values fade."""
    t = tf.cast(done, tf.float32)
    return tf.minimum(decay, (1.0 + t) / (10.0 + t))
