"""Normalisation of features by an utterance's own mean and deviation."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.types import PositiveFloat
from seqcfg.layers.audio.whole import UtteranceLayer
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class UtteranceNormalization(UtteranceLayer, type="utterance_normalization"):
    """(x - mean) / max(deviation, floor) per feature, over the utterance's real frames. Padded frames become 0.

    Statistics are taken in float32; the deviation is the root of the mean square. A single frame becomes 0.
    """

    use_deviation: bool = param(default=True, doc="Whether features are divided by their deviation, or only moved to the mean 0.")
    floor: PositiveFloat = param(default=1e-3, doc="Least deviation that is divided by, so that silence stays finite.")

    def apply(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time, dim]."""
        values, count = tf.cast(x.values, tf.float32), tf.cast(tf.maximum(x.lengths(), 1), tf.float32)[:, tf.newaxis, tf.newaxis]
        centered = values - tf.reduce_sum(x.zero_padding(values), 1, keepdims=True) / count
        centered = x.zero_padding(centered)
        if self.use_deviation:
            variance = tf.reduce_sum(tf.square(centered), 1, keepdims=True) / count
            centered = centered * tf.math.rsqrt(tf.maximum(variance, self.floor**2))
        return x.with_values(tf.cast(centered, x.values.dtype))
