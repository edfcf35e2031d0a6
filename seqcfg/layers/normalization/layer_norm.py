"""Layer normalisation over the features of each position."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer
from seqcfg.component.types import PositiveFloat
from seqcfg.initializers.constant import Ones
from seqcfg.layers.static_shape import reshaped
from seqcfg.lazy import tf


class LayerNorm(Layer, type="layer_norm"):
    """(x - mean) / sqrt(variance + epsilon) * gain + bias over the features of each position (arXiv:1607.06450).

    Statistics are taken in float32 whatever the compute dtype.
    """

    epsilon: PositiveFloat = param(default=1e-6, doc="Added to the variance, in squared units of the input.")
    gain: Literal["direct", "one_plus"] = param(
        default="direct", doc="Whether the factor is the weight itself, which starts at 1, or 1 plus it, which starts at 0."
    )
    use_bias: bool = param(default=True, doc="Whether a vector is added.")

    def declare(self, d: Any, dim: int) -> int:
        d.weight("gain", (dim,), Ones() if self.gain == "direct" else None, axes=("output",))
        if self.use_bias:
            d.weight("bias", (dim,), axes=("output",))
        return dim

    def kept(self, d: Any, at: Any) -> float:
        return at.outputs * (d.features_out + 1)  # what was normalised, and each position's factor

    def __call__(self, w: Any, x: Any) -> Any:
        """x [..., dim] -> [..., dim]."""
        gain = w.stored("gain") + (1.0 if self.gain == "one_plus" else 0.0)
        dim = gain.shape[0]
        bias = w.stored("bias") if self.use_bias else tf.zeros([dim])
        rows = tf.cast(x if x.shape.rank == 2 else tf.reshape(x, [-1, dim]), tf.float32)
        y = tf.cast(normalize_rows(rows, gain, bias, self.epsilon), x.dtype)
        return y if x.shape.rank == 2 else reshaped(y, list(x.shape), x)


def normalize_rows(x: Any, gain: Any, bias: Any, epsilon: float) -> Any:
    """Layer normalisation of x [rows, dim], gain and bias [dim], all float32, with its gradient written out.

    The means are products with a column of 1 / dim. Measured on 2 CPU cores, 2048 x 128, forward and backward: 0.8 ms,
    1.05 by reduce_mean and automatic gradients, 1.25 by FusedBatchNormV3 on transposed axes, 1.4 by tf.nn.moments.
    """
    dim = x.shape[1]

    @tf.custom_gradient
    def normalize(x, gain, bias):
        mean_of = tf.fill([dim, 1], 1.0 / dim)
        centred = x - tf.matmul(x, mean_of)
        inverse = tf.math.rsqrt(tf.matmul(tf.square(centred), mean_of) + epsilon)
        normed = centred * inverse

        def gradient(dy):
            dy_normed = dy * normed
            sum_of = tf.ones([1, tf.shape(x)[0]])
            gain_mean_of = tf.reshape(gain, [-1, 1]) / dim
            dx = (dy * gain - tf.matmul(dy, gain_mean_of) - normed * tf.matmul(dy_normed, gain_mean_of)) * inverse
            return dx, tf.reshape(tf.matmul(sum_of, dy_normed), [-1]), tf.reshape(tf.matmul(sum_of, dy), [-1])

        return normed * gain + bias, gradient

    return normalize(x, gain, bias)
