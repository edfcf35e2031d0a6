"""Multi-head attention to the sequence itself that knows positions by their distance."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer, SequenceLayer
from seqcfg.component.types import PositiveInt, Probability
from seqcfg.errors import UserError
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.attention import masks
from seqcfg.layers.attention.reach import Reach
from seqcfg.layers.attention.scores import merge_heads, split_heads, weights
from seqcfg.layers.dense import Dense
from seqcfg.layers.dropout import factors_kept
from seqcfg.layers.position.sinusoidal import SinusoidalPosition
from seqcfg.layers.sequence import Sequence
from seqcfg.layers.static_shape import with_static_shape
from seqcfg.lazy import tf


class RelativeAttention(SequenceLayer, type="relative_attention"):
    """Per head softmax(((q_i + u) k_j + (q_i + v) r_(i - j)) / sqrt(head_dim)) v_j, heads mapped (arXiv:1901.02860, section 3.3).

    r is a learned map of the distance's sines and cosines; u and v are learned, one vector per head. Distances to
    both sides count, as in Conformer (arXiv:2005.08100). Step by step it keeps the keys and values of `reach.left` positions.
    """

    num_heads: PositiveInt = param(doc="Number of heads; it divides the width.")
    reach: Reach = param(factory=Reach, doc="Which positions are seen; all when left out.")
    dropout: Probability = param(default=0.0, doc="Probability of a 0 among attention weights during training.")
    use_bias: bool = param(default=True, doc="Whether the projections add vectors; that of distances never does.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernels and the vectors u and v start.")

    def declare(self, d: Any, dim: int) -> int:
        if dim % self.num_heads:
            near = min((n for n in range(1, dim + 1) if dim % n == 0), key=lambda n: (abs(n - self.num_heads), -n))
            raise d.misfit(f"{self.num_heads} does not divide the width {dim} it is given", f"{near} does", "num_heads")
        if dim % 2:
            raise d.misfit(f"sines and cosines of distances need an even width, not {dim}", f"{dim + 1} is even")
        for name in ("query", "key", "value"):
            d.child(name, self._map(dim), dim)
        d.child("distance", Dense(units=dim, use_bias=False, kernel_initializer=self.kernel_initializer), dim)
        for name in ("content_bias", "distance_bias"):
            d.weight(name, (self.num_heads, dim // self.num_heads), self.kernel_initializer)
        d.product("query-key-value", instead_of=("query", "key", "value"))
        return d.child("output", self._map(dim), dim)

    def step_positions(self) -> int:
        return self.reach.chunk

    def kept(self, d: Any, at: Any) -> float:
        """The input, queries twice with keys and values, attention weights, and kernels side by side; distances are few."""
        dim = d.features_in
        weights = self.num_heads * at.given * (1 + 2 * factors_kept(self.dropout))
        return at.inputs * (5 * dim + weights) + 3 * dim * dim + 2 * at.given * dim

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time, dim]."""
        mask = masks.both(masks.allowed(x, x, causal=False), self.reach.of(x))
        queries, keys, values = self._project(w, x.values)
        return x.with_values(self._read(w, queries, keys, values, masks.bias(mask, w.context.dtype)))

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        if not self.reach.is_steppable:
            raise UserError(f"{w.path}: attention to later positions cannot run step by step", hint="set reach: {right: 0}")
        left = max_length if self.reach.left is None else self.reach.left
        shape = [tf.shape(sequence.values)[0], self.num_heads, left, w.query.kernel.shape[1] // self.num_heads]
        return {}, {name: tf.zeros(shape, w.context.dtype) for name in ("keys", "values")}

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """Any number of whole chunks at a time, the first of which begins at x.start."""
        if x.values.shape[1] is not None and x.values.shape[1] % self.reach.chunk:
            raise UserError(f"{w.path}: {x.values.shape[1]} positions at a time are not whole chunks of {self.reach.chunk}")
        queries, keys, values = self._project(w, x.values)
        before = tf.shape(moving["keys"])[2]
        keys, values = tf.concat([moving["keys"], keys], 2), tf.concat([moving["values"], values], 2)
        sources = tf.range(tf.shape(keys)[2]) - before + (0 if x.start is None else x.start)
        mask = masks.both((sources >= 0)[tf.newaxis, tf.newaxis, tf.newaxis], self.reach.allowed(x.time_index(), sources))
        if x.mask is not None:
            mask = masks.both(mask, tf.pad(x.mask, [[0, 0], [before, 0]], constant_values=True)[:, tf.newaxis, tf.newaxis])
        y = self._read(w, queries, keys, values, masks.bias(mask, w.context.dtype))
        kept = {"keys": keys, "values": values}
        moving = {name: with_static_shape(part[:, :, tf.shape(part)[2] - before :], moving[name].shape) for name, part in kept.items()}
        return x.with_values(y), moving

    def _map(self, units: int) -> Dense:
        return Dense(units=units, use_bias=self.use_bias, kernel_initializer=self.kernel_initializer)

    def _project(self, w: Any, values: Any) -> list[Any]:
        """values [batch, time, dim] -> queries, keys and values, each [batch, heads, time, head_dim], by one product."""
        views = [w.query, w.key, w.value]
        bias = tf.concat([view.bias for view in views], 0) if self.use_bias else None
        y = w.product(values, tf.concat([view.kernel for view in views], 1), bias, name="query-key-value")
        return [split_heads(part, self.num_heads) for part in tf.split(y, 3, -1)]

    def _read(self, w: Any, queries: Any, keys: Any, values: Any, bias: Any) -> Any:
        """Queries are the last positions of the keys -> [batch, query, dim]."""
        count, before = tf.shape(queries)[2], tf.shape(keys)[2] - tf.shape(queries)[2]
        scale = 1.0 / math.sqrt(queries.shape[3])
        by_content = tf.matmul((queries + w.content_bias[:, tf.newaxis]) * scale, keys, transpose_b=True)
        distances = self._distances(w, tf.range(before + count - 1, -count, -1))
        by_distance = tf.matmul((queries + w.distance_bias[:, tf.newaxis]) * scale, distances, transpose_b=True)
        scores = by_content + shifted(by_distance, before + count)
        return w.output(merge_heads(tf.matmul(weights(w, scores, bias, self.dropout, None), values)))

    def _distances(self, w: Any, distances: Any) -> Any:
        """distances [n] -> their vectors [1, heads, n, head_dim]."""
        signal = SinusoidalPosition(exponent="half").signal(distances, w.distance.kernel.shape[0])
        return split_heads(w.distance(tf.cast(signal, w.context.dtype)[tf.newaxis]), self.num_heads)


def shifted(scores: Any, num_sources: Any) -> Any:
    """Scores by distance to scores by source.

    scores [batch, heads, query, num_sources + query - 1], the largest distance first: query a of n meets source b at
    column n - 1 - a + b -> [batch, heads, query, num_sources]. One column of zeros more makes each row of a reshaped
    tensor begin one later than the row before (arXiv:1901.02860, appendix B).
    """
    shape = tf.shape(scores)
    rows, heads, count, width = shape[0], scores.shape[1], shape[2], shape[3]
    padded = tf.reshape(tf.pad(scores, [[0, 0], [0, 0], [0, 0], [1, 0]]), [rows, heads, width + 1, count])
    return tf.reshape(padded[:, :, 1:], [rows, heads, count, width])[..., :num_sources]
