"""The random draws that initializers and layers share: stateless, and made from one generator's bits by stated formulas.

TensorFlow's own float draws differ between plain and compiled graphs and between devices; these differ by rounding only.
"""

from __future__ import annotations

import math
from typing import Any

from seqcfg.lazy import tf

GENERATOR = "philox"
BITS = 23  # of a uniform draw; half a step more keeps it from 0, and float32 still holds it exactly


def normal(shape: tuple[int, ...], seed: Any, stddev: float) -> Any:
    """Independent draws with mean 0 and this standard deviation: the inverse of the distribution at uniform draws in (0, 1)."""
    return stddev * tf.math.ndtri(chances(shape, seed))


def truncated_normal(shape: tuple[int, ...], seed: Any, stddev: float) -> Any:
    """Draws from the part of a normal distribution that lies within two of these deviations (so 0.88 of it is left)."""
    tail = 0.5 * math.erfc(math.sqrt(2.0))  # beyond 2 on one side
    return stddev * tf.math.ndtri(tail + (1 - 2 * tail) * chances(shape, seed))


def uniform(shape: tuple[int, ...], seed: Any, limit: float) -> Any:
    """Draws from (-limit, limit)."""
    return limit * (2 * chances(shape, seed) - 1)


def chances(shape: tuple[int, ...], seed: Any) -> Any:
    """Uniform draws in (0, 1), neither end included."""
    words = tf.random.stateless_uniform(shape, seed, None, None, tf.uint32, alg=GENERATOR)
    return tf.cast(tf.bitwise.right_shift(words, tf.constant(32 - BITS, tf.uint32)), tf.float32) * 2.0**-BITS + 2.0 ** -(BITS + 1)


def whole(limits: Any, seed: Any) -> Any:
    """int32 in 0 .. limit - 1, evenly, for each of the limits, which are at least 1."""
    draws = tf.cast(chances(tf.shape(limits), seed) * tf.cast(limits, tf.float32), tf.int32)
    return tf.minimum(draws, limits - 1)  # a product may round up to the limit
