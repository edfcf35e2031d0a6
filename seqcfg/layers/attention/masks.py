"""Which positions may be attended to. Masks are bool, True = may attend, and broadcast to [batch, heads, query, source]."""

from __future__ import annotations

from typing import Any

from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


def allowed(query: Sequence, source: Sequence, causal: bool) -> Any:
    """The mask of attention from query to source positions, or None where all are allowed.

    `causal` allows source positions up to that of the query; both then begin at the same position.
    """
    mask = None if source.mask is None else for_all_queries(source.mask)
    if causal:
        order = tf.range(tf.shape(query.values)[1])[:, tf.newaxis] >= tf.range(tf.shape(source.values)[1])
        mask = both(mask, order[tf.newaxis, tf.newaxis])
    if query.segments is not None and source.segments is not None:
        same = tf.equal(query.segments[:, tf.newaxis, :, tf.newaxis], source.segments[:, tf.newaxis, tf.newaxis, :])
        mask = both(mask, same)
    return mask


def for_all_queries(mask: Any) -> Any:
    """Real positions of a source, [batch, source] -> [batch, 1, 1, source]; a slice with new axes would not convert to TFLite."""
    return tf.expand_dims(tf.expand_dims(mask, 1), 1)


def both(first: Any, second: Any) -> Any:
    """What both masks allow; None allows everything."""
    if first is None or second is None:
        return second if first is None else first
    return tf.logical_and(first, second)


def bias(mask: Any, dtype: str) -> Any:
    """What is added to attention scores: 0 where the mask allows, a large finite negative number elsewhere; None for no mask.

    It is finite so that a row that may attend to nothing (an empty example) gives finite numbers.
    """
    if mask is None:
        return None
    large = min(1e9, float(tf.as_dtype(dtype).max) / 2)
    return (tf.cast(mask, dtype) - 1) * tf.cast(large, dtype)
