"""Normalisation by the root mean square of the features of each position."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer
from seqcfg.component.types import PositiveFloat
from seqcfg.initializers.constant import Ones
from seqcfg.lazy import tf


class RMSNorm(Layer, type="rms_norm"):
    """x / sqrt(mean(x^2) + epsilon) * gain over the features of each position (arXiv:1910.07467, equation 4).

    Statistics are taken in float32 whatever the compute dtype.
    """

    epsilon: PositiveFloat = param(default=1e-6, doc="Added to the mean square, in squared units of the input.")
    gain: Literal["direct", "one_plus"] = param(
        default="direct", doc="Whether the factor is the weight itself, which starts at 1, or 1 plus it, which starts at 0."
    )

    def declare(self, d: Any, dim: int) -> int:
        d.weight("gain", (dim,), Ones() if self.gain == "direct" else None, axes=("output",))
        return dim

    def kept(self, d: Any, at: Any) -> float:
        return at.outputs * (2 * d.features_out + 1)  # what is normalised before and after, and each position's factor

    def __call__(self, w: Any, x: Any) -> Any:
        """x [..., dim] -> [..., dim]."""
        gain = w.stored("gain") + (1.0 if self.gain == "one_plus" else 0.0)
        values = tf.cast(x, tf.float32)
        inverse = tf.math.rsqrt(tf.reduce_mean(tf.square(values), -1, keepdims=True) + self.epsilon)
        return tf.cast(values * inverse * gain, x.dtype)
