"""Rounding to integers of a few bits and back to floating point, with the gradient passed straight through."""

from __future__ import annotations

from typing import Any

from seqcfg.layers.quantisation.settings import Activations, Weights
from seqcfg.lazy import tf

SMALLEST = 1e-6  # a range is at least so wide


def rounded_weight(weight: Any, how: Weights, channel_axis: int = -1) -> Any:
    """A kernel [..., units] or, with channel_axis 0, a table [rows, dim], float32, as integers would hold it."""
    if how.scales == "tensor":
        most = tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(weight)), SMALLEST))
        return tf.quantization.fake_quant_with_min_max_vars(weight, -most, most, how.bits, narrow_range=True)
    if channel_axis == 0:
        return tf.transpose(rounded_weight(tf.transpose(weight), how))
    others = list(range(weight.shape.rank - 1))
    most = tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(weight), others), SMALLEST))
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(weight, -most, most, how.bits, narrow_range=True)


def rounded_activation(x: Any, low: Any, high: Any, how: Activations) -> Any:
    """x float32 as integers over the range would hold it; values outside come to its ends, and pass no gradient.

    The range is widened to hold 0, which becomes an integer (arXiv:1712.05877, section 3).
    """
    low, high = bounds(low, high, how)
    low, high = tf.stop_gradient(low), tf.stop_gradient(high)
    return tf.quantization.fake_quant_with_min_max_vars(x, low, high, how.bits, narrow_range=how.symmetric)


def bounds(low: Any, high: Any, how: Activations) -> tuple[Any, Any]:
    """The range that is rounded to, for tensors."""
    low, high = tf.minimum(low, 0.0), tf.maximum(high, SMALLEST)
    most = tf.maximum(-low, high)
    return (-most, most) if how.symmetric else (low, high)
