"""The random draws all initializers share: stateless, by one named generator, so equal on every kind of device."""

from __future__ import annotations

from typing import Any

from seqcfg.lazy import tf

GENERATOR = "philox"


def normal(shape: tuple[int, ...], seed: Any, stddev: float) -> Any:
    """Independent draws with mean 0 and this standard deviation."""
    return tf.random.stateless_normal(shape, seed, stddev=stddev, alg=GENERATOR)


def truncated_normal(shape: tuple[int, ...], seed: Any, stddev: float) -> Any:
    """Draws from the normal of this standard deviation, repeated until they lie within two of them (so 0.88 of it is left)."""
    return tf.random.stateless_truncated_normal(shape, seed, stddev=stddev, alg=GENERATOR)


def uniform(shape: tuple[int, ...], seed: Any, limit: float) -> Any:
    """Draws from [-limit, limit)."""
    return tf.random.stateless_uniform(shape, seed, -limit, limit, alg=GENERATOR)
