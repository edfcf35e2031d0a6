"""Cumulative sums of probabilities given by their logarithms."""

from __future__ import annotations

from typing import Any

from seqcfg.layers.portable import PORTABLE
from seqcfg.lazy import tf


def cumulative_logsumexp(x: Any) -> Any:
    """x [rows, time] -> log(e^x[0] + ... + e^x[t]) at each t.

    Other engines have no such operation: graphs for them add what is 1, 2, 4 ... positions before, until all is added.
    """
    if not PORTABLE.get():
        return tf.math.cumulative_logsumexp(x, axis=1)
    time = tf.shape(x)[1]

    def add(reach: Any, sums: Any) -> tuple[Any, Any]:
        before = tf.pad(sums, [[0, 0], [reach, 0]], constant_values=x.dtype.min)[:, :time]
        most = tf.maximum(sums, before)
        return reach * 2, most + tf.math.log(tf.exp(sums - most) + tf.exp(before - most))

    return tf.while_loop(lambda reach, sums: reach < time, add, (tf.constant(1), x))[1]
