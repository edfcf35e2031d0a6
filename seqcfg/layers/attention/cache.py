"""Keys and values of earlier positions, in buffers of fixed size that are written in place."""

from __future__ import annotations

from typing import Any

from seqcfg.layers.static_shape import with_static_shape
from seqcfg.lazy import tf, xla_ops


def write(buffer: Any, index: Any, new: Any) -> Any:
    """The buffer [rows, heads, time, dim] with `new` [rows, heads, 1, dim] at position `index`, a scalar.

    One slice per row and head is written into the buffer itself where nobody else holds it, as in a loop. Measured,
    [320, 4, 30, 32] on one core: 0.05 ms, against 0.6 ms for a choice between old and new at every position.
    """
    shape = tf.shape(buffer)
    rows = shape[0] * shape[1]
    places = tf.stack([tf.range(rows), tf.fill([rows], index)], axis=1)
    flat = tf.reshape(buffer, [rows, shape[2], buffer.shape[3]])
    flat = tf.tensor_scatter_nd_update(flat, places, tf.reshape(new, [rows, buffer.shape[3]]))
    return with_static_shape(tf.reshape(flat, shape), buffer.shape)


def write_for_xla(buffer: Any, index: Any, new: Any) -> Any:
    """As `write`, by an operation that XLA alone has; scatters become loops there."""
    zero = tf.constant(0)
    written = xla_ops.xla_dynamic_update_slice(input=buffer, update=new, indices=tf.stack([zero, zero, index, zero]))
    return with_static_shape(written, buffer.shape)
