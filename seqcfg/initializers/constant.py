"""Initial values that are the same everywhere in a weight."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.lazy import tf


class Zeros(Initializer, type="zeros"):
    """All values are 0."""

    def __call__(self, shape: tuple[int, ...], fans: tuple[int, int], seed: Any) -> Any:
        return tf.zeros(shape)


class Ones(Initializer, type="ones"):
    """All values are 1."""

    def __call__(self, shape: tuple[int, ...], fans: tuple[int, int], seed: Any) -> Any:
        return tf.ones(shape)


class Constant(Initializer, type="constant"):
    """All values are the given number."""

    value: float = param(doc="The number.")

    def __call__(self, shape: tuple[int, ...], fans: tuple[int, int], seed: Any) -> Any:
        return tf.fill(shape, tf.constant(self.value, tf.float32))
