"""Dropout: random zeros during training, drawn anew for each place and step."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer
from seqcfg.component.types import Probability
from seqcfg.lazy import tf

COARSE, FINE = 8, 16  # random bits per element


class Dropout(Layer, type="dropout"):
    """Sets elements to 0 with the given probability during training and scales the others up (Srivastava et al. 2014)."""

    feature_axes = None

    rate: Probability = param(default=0.1, doc="Probability of a 0.")

    def kept(self, d: Any, at: Any) -> float:
        return at.outputs * d.features_out * factors_kept(self.rate)

    def __call__(self, w: Any, x: Any) -> Any:
        """x [...] -> [...]."""
        return dropout(w, x, self.rate)


def factors_kept(rate: float) -> int:
    """How often as many numbers as are dropped or not must be kept for the gradient: the factors, where there are any."""
    return 1 if rate else 0


def dropout(w: Any, x: Any, rate: float) -> Any:
    """x with elements set to 0 with probability `rate` and the others divided by the chance to stay; x itself outside training."""
    if not w.training or rate == 0.0:
        return x
    return x * w.drawn(keep_factors(tf.shape(x), rate, w.seed(), x.dtype))


def keep_factors(shape: Any, rate: float, seed: Any, dtype: Any) -> Any:
    """Independent draws: 0 with probability `rate`, else the inverse of the chance to stay, so that the mean is 1.

    Each element costs 8 random bits, or 16 where a multiple of 1/256 is more than 2 % off the rate; the factor is
    the inverse of the realised chance. All zeros for a rate of 1.
    """
    bits = COARSE if abs(round(rate * 2**COARSE) / 2**COARSE - rate) <= 0.02 * rate else FINE
    values = 2**bits
    dropped = round(rate * values)
    if dropped == values:
        return tf.zeros(shape, dtype)
    # On 2 CPU cores, 2048 x 128 forward and backward: 330 us with int8 cut from int32, 550 with int16, 830 with one
    # int32 per element, 880 with tf.nn.experimental.stateless_dropout.
    small = tf.int8 if bits == COARSE else tf.int16
    count, per_word = tf.reduce_prod(shape), 32 // bits
    words = tf.random.stateless_uniform([(count + per_word - 1) // per_word], seed, None, None, tf.int32, alg="philox")
    draws = tf.reshape(tf.reshape(tf.bitcast(words, small), [-1])[:count], shape)
    keep = draws >= tf.constant(dropped - values // 2, small)
    return tf.cast(keep, dtype) * tf.cast(values / (values - dropped), dtype)
