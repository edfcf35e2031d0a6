"""Additive attention to a memory."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import PositiveInt, Probability
from seqcfg.layers.attention import masks
from seqcfg.layers.attention.aligning import Aligning
from seqcfg.layers.attention.energy import Energy, usual_start
from seqcfg.layers.attention.scores import split_heads, weights
from seqcfg.layers.dense import Dense
from seqcfg.lazy import tf


class AdditiveAttention(Aligning, type="additive_attention"):
    """softmax over the memory of v . tanh(query W + key U) (Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2).

    With several heads, query and source are first mapped and cut into heads, which share W, U and v; what a head reads is its
    part of the source's own features (as in RNMT+, Chen et al. 2018, arXiv:1804.09849).
    """

    hidden: PositiveInt = param(doc="Width of the sum, of each head.")
    num_heads: PositiveInt = param(default=1, doc="Number of heads; it divides the projection and the memory's width.")
    projection: PositiveInt | None = param(
        default=None, doc="Width to which query and source are mapped before the heads are cut; neither is mapped when left out."
    )
    use_bias: bool = param(default=False, doc="Whether a vector is added inside the tanh.")
    dropout: Probability = param(default=0.0, doc="Probability of a 0 among attention weights during training.")
    kernel_initializer: Initializer = param(factory=usual_start, doc="How W, U and v start; the maps before them start as dense layers do.")

    def declare(self, d: Any, dim: int) -> int:
        source = d.memory_width or dim
        widths = (dim, source) if self.projection is None else (self.projection, self.projection)
        for width in (*widths, source):
            if width % self.num_heads:
                hint = "give a projection that they divide" if width != source else "take a divisor"
                raise d.misfit(f"{self.num_heads} heads do not divide the width {width}", hint, "num_heads")
        if self.projection is not None:
            d.child("query", Dense(units=self.projection), dim)
            d.child("key", Dense(units=self.projection), source)
        energy = Energy(hidden=self.hidden, use_bias=self.use_bias, kernel_initializer=self.kernel_initializer)
        d.child("energy", energy, *(width // self.num_heads for width in widths))
        return source

    def keys(self, w: Any, values: Any) -> dict[str, Any]:
        values = values if self.projection is None else w.key(values)
        return {"keys": w.energy.keys(split_heads(values, self.num_heads))}  # [batch, heads, source, hidden]

    def align(self, w: Any, queries: Any, fixed: Any, state: Any) -> tuple[Any, dict[str, Any]]:
        queries = split_heads(queries if self.projection is None else w.query(queries), self.num_heads)
        shape, keys = tf.shape(queries), fixed["keys"]
        source = tf.shape(keys)[2]
        flat = tf.reshape(queries, [-1, shape[2], queries.shape[-1]])  # heads become sentences
        scores = w.energy.scores(flat, tf.reshape(keys, [-1, source, self.hidden]))
        scores = tf.reshape(scores, [shape[0], self.num_heads, shape[2], source])
        return weights(w, scores, masks.bias(masks.for_all_queries(fixed["is_real"]), "float32"), self.dropout, None), {}
