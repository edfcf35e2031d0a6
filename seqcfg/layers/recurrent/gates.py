"""What gated cells do to the sums that their gates are made of."""

from __future__ import annotations

from typing import Any

from seqcfg.layers.normalization.layer_norm import normalize_rows
from seqcfg.lazy import tf


def normalized(sums: Any, count: int, gain: Any, epsilon: float) -> Any:
    """Each of `count` blocks of sums [batch, count * units] layer-normalised, times gain [count * units]; statistics in float32."""
    units = gain.shape[0] // count
    rows = tf.cast(tf.reshape(sums, [-1, units]), tf.float32)  # [batch * count, units]
    normed = normalize_rows(rows, tf.ones([units]), tf.zeros([units]), epsilon)
    return tf.cast(tf.reshape(normed, [-1, count * units]), sums.dtype) * gain


def clipped(cell: Any, cap: float | None) -> Any:
    """The cell within +- cap, or as it is where there is none."""
    return cell if cap is None else tf.clip_by_value(cell, -cap, cap)
