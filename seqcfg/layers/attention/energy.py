"""The likeness of a query and a key, by a small layer over their sum."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import PositiveInt
from seqcfg.initializers.constant import Constant
from seqcfg.initializers.fan_in import FanInUniform
from seqcfg.layers.dense import affine
from seqcfg.lazy import tf


def usual_start() -> FanInUniform:
    """Weights whose products keep the variance."""
    return FanInUniform(scale=math.sqrt(3.0))


class Energy(Record):
    """v . tanh(query W + key U + b) (Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2).

    With an offset r it is g v / |v| . tanh(...) + r, with g and r learned (arXiv:1704.00784, equation 16).
    """

    hidden: PositiveInt = param(doc="Width of the sum.")
    use_bias: bool = param(default=False, doc="Whether b is there.")
    offset: float | None = param(default=None, doc="Where r starts; without one, v is used as it is.")
    kernel_initializer: Initializer = param(factory=usual_start, doc="How W, U and v start.")

    def declare(self, d: Any, query: int, key: int) -> None:
        d.weight("query_kernel", (query, self.hidden), self.kernel_initializer, axes=("input", "output"))
        d.weight("key_kernel", (key, self.hidden), self.kernel_initializer, axes=("input", "output"))
        d.weight("score", (self.hidden,), self.kernel_initializer, fans=(self.hidden, 1), axes=("output",))
        if self.use_bias:
            d.weight("bias", (self.hidden,), axes=("output",))
        if self.offset is not None:
            d.weight("gain", (), Constant(value=1 / math.sqrt(self.hidden)))
            d.weight("offset", (), Constant(value=self.offset))

    def keys(self, w: Any, values: Any) -> Any:
        """A source's share of the sum: values [..., key] -> [..., hidden]; b is part of it."""
        return affine(values, w.key_kernel, w.bias if self.use_bias else None)

    def scores(self, w: Any, queries: Any, keys: Any, extra: Any = None) -> Any:
        """queries [batch, n, query], keys [batch, source, hidden] -> [batch, n, source] in float32; extra is added to the sum."""
        total = affine(queries, w.query_kernel)[:, :, tf.newaxis] + keys[:, tf.newaxis]
        total = tf.tanh(total if extra is None else total + extra)
        score = w.score
        if self.offset is not None:
            score = w.gain * score * tf.math.rsqrt(tf.maximum(tf.reduce_sum(tf.square(score)), 1e-12))
        found = affine(total, score[:, tf.newaxis])[..., 0]
        return tf.cast(found if self.offset is None else found + w.offset, tf.float32)
