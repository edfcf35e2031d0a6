"""Products with the kernels of recurrent layers: matrices, or filters along frequency."""

from __future__ import annotations

from typing import Any

from seqcfg.lazy import tf


def times(x: Any, kernel: Any) -> Any:
    """x [batch, n] times a matrix [n, m]; or x [batch, frequency, n] filtered by [taps, n, m], as wide as before, as SAME pads."""
    if kernel.shape.rank == 2:
        return tf.matmul(x, kernel)
    return _filtered(x, kernel, (kernel.shape[0] - 1) // 2)


def turned(kernel: Any) -> Any:
    """The kernel made ready for `input_gradient`, once for all positions: a product with a transposed matrix takes twice as long."""
    return tf.transpose(kernel) if kernel.shape.rank == 2 else tf.transpose(tf.reverse(kernel, [0]), [0, 2, 1])


def input_gradient(dy: Any, kernel: Any) -> Any:
    """The gradient of x in `times`, from that of the product and the turned kernel."""
    return tf.matmul(dy, kernel) if kernel.shape.rank == 2 else _filtered(dy, kernel, kernel.shape[0] // 2)


def kernel_gradient(x: Any, dy: Any, kernel: Any) -> Any:
    """The gradient of the kernel in `times`, for x [time, batch, ..., n] and the products' gradients [time, batch, ..., m]."""
    if kernel.shape.rank == 2:
        return _product(x, dy)
    taps, frequencies = kernel.shape[0], x.shape[2]
    left = (taps - 1) // 2
    padded = tf.pad(x, [[0, 0], [0, 0], [left, taps - 1 - left], [0, 0]])
    return tf.stack([_product(padded[:, :, tap : tap + frequencies], dy) for tap in range(taps)])


def _product(x: Any, dy: Any) -> Any:
    """[..., n], [..., m] -> [n, m], summed over the other axes."""
    return tf.matmul(tf.reshape(x, [-1, x.shape[-1]]), tf.reshape(dy, [-1, dy.shape[-1]]), transpose_a=True)


def _filtered(x: Any, kernel: Any, left: int) -> Any:
    padding = [[0, 0], [0, 0], [left, kernel.shape[0] - 1 - left], [0, 0]]
    return tf.nn.conv2d(x[:, tf.newaxis], kernel[tf.newaxis], 1, padding)[:, 0]
