"""Texts that searches over frames hold side by side while they grow."""

from __future__ import annotations

from typing import Any

from seqcfg.lazy import tf

IMPOSSIBLE = float("-inf")


def parents(own: Any) -> tuple[Any, Any]:
    """(is_parent [batch, one, other]: whether one text is the other without its last token, that token [batch, other]).

    own has `sequences` [batch, width, time], 0 from `lengths` [batch, width] on, and `scores` [batch, width], -inf where none is alive.
    """
    places = tf.range(tf.shape(own.sequences)[2])
    shorter = tf.where(places == own.lengths[..., None] - 1, 0, own.sequences)
    is_same = tf.reduce_all(own.sequences[:, :, None] == shorter[:, None], axis=-1)
    is_alive = own.scores > IMPOSSIBLE
    last = tf.reduce_max(tf.where(places == own.lengths[..., None] - 1, own.sequences, 0), axis=-1)
    return is_same & (last > 0)[:, None] & is_alive[:, :, None] & is_alive[:, None], last


def either(a: Any, b: Any) -> Any:
    """log(e^a + e^b), where both may be -inf."""
    most = tf.maximum(a, b)
    apart = tf.where(a == b, tf.zeros([], most.dtype), a - b)
    return tf.where(most == IMPOSSIBLE, most, most + tf.math.log1p(tf.exp(-tf.abs(apart))))


def shifted(table: Any, count: Any) -> Any:
    """The table [..., time] without its first `count` [batch] columns, with zeros behind."""
    size = tf.shape(table)[-1]
    places = tf.range(size) + tf.reshape(count, [-1] + [1] * (table.shape.rank - 1))
    places = tf.broadcast_to(places, tf.shape(table))
    return tf.where(places < size, tf.gather(table, tf.minimum(places, size - 1), batch_dims=table.shape.rank - 1), 0)
