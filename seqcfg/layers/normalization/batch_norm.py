"""Normalisation by the statistics of the batch."""

from __future__ import annotations

import math
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import SequenceLayer
from seqcfg.component.types import Fraction, PositiveFloat
from seqcfg.initializers.constant import Ones
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class BatchNorm(SequenceLayer, type="batch_norm"):
    """(x - mean) / sqrt(variance + epsilon) * gain + bias per feature, over the real positions of the batch (arXiv:1502.03167).

    Training uses the batch's moments and moves the stored ones towards them; otherwise the stored ones are used. The
    variance is the mean square deviation in both. Statistics are taken in float32. Padded positions become 0. On maps
    over time and frequency a feature is a channel: its moments are taken over all frequencies, too.
    """

    feature_axes = None

    decay: Fraction = param(default=0.99, doc="Share of the stored moments that one step leaves.")
    epsilon: PositiveFloat = param(default=1e-3, doc="Added to the variance, in squared units of the input.")
    gain: Literal["direct", "one_plus"] = param(
        default="direct", doc="Whether the factor is the weight itself, which starts at 1, or 1 plus it, which starts at 0."
    )
    statistics: Literal["replica", "global"] = param(
        default="replica",
        doc="Whether moments in training are those of a replica's rows, or of all replicas (which excludes accumulated batches).",
        is_later=True,
    )

    @property
    def is_of_whole_batches(self) -> bool:
        """Whether batches that are added up would not give what one batch of all their rows gives, although the recipe asks for that."""
        return self.statistics == "global"

    def declare(self, d: Any, width: Any) -> Any:
        if width == ():
            raise d.misfit("takes one feature axis or more and is given a waveform", "put it behind log_mel")
        dim = width[-1] if isinstance(width, tuple) else width
        d.weight("gain", (dim,), Ones() if self.gain == "direct" else None, axes=("output",))
        d.weight("bias", (dim,), axes=("output",))
        d.weight("moving_mean", (dim,), axes=("output",), trainable=False)
        d.weight("moving_variance", (dim,), Ones(), axes=("output",), trainable=False)
        return width

    def kept(self, d: Any, at: Any) -> float:
        return at.outputs * 2 * d.features_out  # what is normalised, and its distance from the mean

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, ..., dim] -> [batch, time, ..., dim]."""
        values = tf.cast(x.values, tf.float32)
        mean, variance = self._moments(w, x.with_values(values)) if w.training else (w.stored("moving_mean"), w.stored("moving_variance"))
        gain = w.stored("gain") + (1.0 if self.gain == "one_plus" else 0.0)
        factor = tf.math.rsqrt(variance + self.epsilon) * gain
        y = tf.cast(values * factor + (w.stored("bias") - mean * factor), x.values.dtype)
        return x.with_values(x.zero_padding(y))

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        return {}, {}

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        return w(x), moving

    def _moments(self, w: Any, x: Sequence) -> tuple[Any, Any]:
        """Mean and variance [dim] of the real positions; the stored ones will move towards them."""
        rows = tf.cast(tf.shape(x.values)[0] * tf.shape(x.values)[1], tf.float32)
        rows = rows if x.mask is None else tf.reduce_sum(tf.cast(x.mask, tf.float32))
        axes, per_row = list(range(x.values.shape.rank - 1)), math.prod(x.values.shape[2:-1])
        count, total = self._of_all([rows * per_row, tf.reduce_sum(x.zero_padding(), axes)])
        count = tf.maximum(count, 1.0)
        mean = total / count
        (squares,) = self._of_all([tf.reduce_sum(x.zero_padding(tf.square(x.values - mean)), axes)])
        variance = squares / count
        for name, value in (("moving_mean", mean), ("moving_variance", variance)):
            w.update(name, self.decay * w.stored(name) + (1 - self.decay) * tf.stop_gradient(value))
        return mean, variance

    def _of_all(self, sums: list[Any]) -> list[Any]:
        """Sums over the replicas where these count; their gradients are summed alike."""
        if self.statistics == "replica" or tf.distribute.get_replica_context().num_replicas_in_sync == 1:
            return sums
        return list(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, sums))
