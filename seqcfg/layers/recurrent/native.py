"""A whole LSTM as TensorFlow's own operation, with a gradient that is as fast.

TensorFlow's gradient adds to the kernel's in every position. Measured on one core in training, 32 rows of 100 positions, 2 layers of
512: 1790 ms by it, 530 by a loop with automatic gradients, 360 here (PyTorch's 410). Its cell ignores the cap in its gradient; here it
counts.
"""

from __future__ import annotations

from typing import Any

from seqcfg.layers.recurrent.loop import time_major
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


def lstm(x: Sequence, kernel: Any, recurrent_kernel: Any, bias: Any, forget_bias: float, cap: float | None) -> Any:
    """Outputs [batch, time, units] from a state of zeros; kernels and bias as those of `lstm` layers, float32.

    The operation knows no mask: real positions are moved to the front, and their results back to where they were.
    """
    kernel, recurrent_kernel, bias = (_their_order(one) for one in (kernel, recurrent_kernel, bias))
    if x.mask is None:
        return time_major(_run(time_major(x.values), kernel, recurrent_kernel, bias, forget_bias, cap))
    order = tf.argsort(tf.cast(tf.logical_not(x.mask), tf.int32), axis=1, stable=True)
    outputs = time_major(_run(time_major(_permuted(x.values, order)), kernel, recurrent_kernel, bias, forget_bias, cap))
    held = tf.concat([tf.zeros_like(outputs[:, :1]), outputs], 1)
    return tf.gather(held, tf.cumsum(tf.cast(x.mask, tf.int32), 1), batch_dims=1)


def _their_order(columns: Any) -> Any:
    """TensorFlow's columns are input gate, candidate, forget gate, output gate; ours have the candidate first."""
    candidate, enter, keep, show = tf.split(columns, 4, -1)
    return tf.concat([enter, candidate, keep, show], -1)


def _permuted(values: Any, order: Any) -> Any:
    """values [batch, time, dim] with positions in another order [batch, time]."""

    @tf.custom_gradient
    def permute(values: Any) -> Any:
        return tf.gather(values, order, batch_dims=1), lambda dy: tf.gather(dy, tf.argsort(order, axis=1), batch_dims=1)

    return permute(values)


def _run(x: Any, kernel: Any, recurrent_kernel: Any, bias: Any, forget_bias: float, cap: float | None) -> Any:
    """Outputs [time, batch, units] for x [time, batch, dim]."""
    units = recurrent_kernel.shape[0]
    none, zeros = tf.zeros([units]), tf.zeros([tf.shape(x)[1], units])
    peepholes = {"wci": none, "wcf": none, "wco": none, "use_peephole": False}

    @tf.custom_gradient
    def run(x: Any, kernel: Any, recurrent_kernel: Any, bias: Any) -> Any:
        both = tf.concat([kernel, recurrent_kernel], 0)
        made = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.cast(tf.shape(x)[0], tf.int64), x=x, cs_prev=zeros, h_prev=zeros, w=both, b=bias, forget_bias=forget_bias,
            cell_clip=cap or -1.0, **peepholes,
        )  # fmt: skip

        def gradient(dy: Any) -> Any:
            known = {name: getattr(made, name) for name in ("i", "cs", "f", "o", "ci", "co")}
            if cap is not None:  # a cell at its cap does not move: nothing flows to what it was made of
                moves = tf.cast(tf.abs(made.cs) < cap, dy.dtype)
                known |= {"i": made.i * moves, "f": made.f * moves}
            same = {"x": tf.zeros([tf.shape(x)[1], kernel.shape[0]]), "h_prev": zeros, "w": both, "b": bias, **peepholes}
            sums = _gradient_of_sums(known, same, tf.transpose(recurrent_kernel), dy)
            flat = tf.reshape(sums, [-1, 4 * units])
            before = tf.reshape(tf.concat([zeros[tf.newaxis], made.h[:-1]], 0), [-1, units])
            dx = tf.reshape(tf.matmul(flat, kernel, transpose_b=True), tf.shape(x))
            d_kernel = tf.matmul(tf.reshape(x, [-1, kernel.shape[0]]), flat, transpose_a=True)
            return dx, d_kernel, tf.matmul(before, flat, transpose_a=True), tf.reduce_sum(flat, 0)

        return made.h, gradient

    return run(x, kernel, recurrent_kernel, bias)


def _gradient_of_sums(known: dict[str, Any], same: dict[str, Any], turned: Any, dy: Any) -> Any:
    """Gradients [time, batch, 4 units] of what the gates are made of, last position first."""
    units, zeros = turned.shape[1], same["h_prev"]
    known = known | {"cs_prev": tf.concat([zeros[tf.newaxis], known["cs"][:-1]], 0), "h_grad": dy}
    written = tf.TensorArray(dy.dtype, tf.shape(dy)[0], element_shape=[zeros.shape[0], 4 * units])

    def body(left: Any, written: Any, d_output: Any, d_cell: Any) -> Any:
        at = {name: value[left - 1] for name, value in known.items()}
        at["h_grad"] += d_output
        made = tf.raw_ops.LSTMBlockCellGrad(**at, **same, cs_grad=d_cell)
        d_output = tf.ensure_shape(tf.matmul(made.dicfo, turned), zeros.shape)
        return left - 1, written.write(left - 1, made.dicfo), d_output, tf.ensure_shape(made.cs_prev_grad, zeros.shape)

    _, written, _, _ = tf.while_loop(lambda left, *_: left > 0, body, (tf.shape(dy)[0], written, zeros, zeros))
    return written.stack()
