"""Multi-head attention to the sequence itself or to a memory, with caches for step-by-step use."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer, SequenceLayer
from seqcfg.component.types import PositiveFloat, PositiveInt, Probability
from seqcfg.errors import UserError
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.attention import cache, masks
from seqcfg.layers.attention.scores import attend, merge_heads, split_heads
from seqcfg.layers.dense import Dense
from seqcfg.layers.dropout import factors_kept
from seqcfg.layers.position.rotary import Rotary
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class MultiHeadAttention(SequenceLayer, type="multi_head_attention"):
    """Per head softmax(q k^T / sqrt(head_dim)) v; heads concatenated and mapped (arXiv:1706.03762, section 3.2.2).

    Fewer key and value heads than query heads are shared by groups of query heads (arXiv:2305.13245).
    """

    num_heads: PositiveInt = param(doc="Number of heads; it divides the width unless head_dim is given.")
    head_dim: PositiveInt | None = param(default=None, doc="Width of a head; width / num_heads when left out.")
    num_kv_heads: PositiveInt | None = param(default=None, doc="Number of key and value heads; num_heads when left out, 1 is multi-query.")
    attend_to: Literal["self", "memory"] = param(default="self", doc="Where keys and values come from: the input, or the encoder's output.")
    causal: bool = param(default=False, doc="Whether a position sees only itself and those before it.")
    dropout: Probability = param(default=0.0, doc="Probability of a 0 among attention weights during training.")
    use_bias: bool = param(default=True, doc="Whether the projections add vectors.")
    values: Literal["projected", "source", "keys"] = param(
        default="projected", doc="What is averaged: a projection of the source, the source's features cut into heads, or the keys."
    )
    project_output: bool = param(default=True, doc="Whether the heads are mapped to the input's width; if not, they are the output.")
    per_dim_scale: bool = param(
        default=False,
        doc="Whether dimensions of a query are scaled by softplus(s) / softplus(0), s learned from 0 and common to all heads.",
    )
    logit_cap: PositiveFloat | None = param(default=None, doc="Scores s become cap tanh(s / cap); no cap when left out.")
    rotary: Rotary | None = param(default=None, doc="Rotation of queries and keys by position; none when left out.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the four kernels start.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.attend_to == "memory" and self.causal:
            yield "causal", "positions of a memory are not ordered with those of the input", "leave causal out, or attend to self"
        if self.attend_to == "memory" and self.rotary is not None:
            yield "rotary", "positions of a memory do not relate to those of the input", "leave rotary out, or attend to self"
        if self.num_kv_heads and self.num_heads % self.num_kv_heads:
            yield "num_kv_heads", f"{self.num_kv_heads} does not divide num_heads, {self.num_heads}", "take a divisor of num_heads"
        if self.rotary is not None and self.head_dim is not None and self.head_dim % 2:
            yield "head_dim", f"a rotation needs an even width, not {self.head_dim}", "take an even head_dim"

    def declare(self, d: Any, dim: int) -> int:
        if self.head_dim is None and dim % self.num_heads:
            near = min((n for n in range(1, dim + 1) if dim % n == 0), key=lambda n: (abs(n - self.num_heads), -n))
            raise d.misfit(f"{self.num_heads} does not divide the width {dim} it is given", f"{near} does", "num_heads")
        head_dim = self._head_dim(dim)
        if self.rotary is not None and head_dim % 2:
            raise d.misfit(f"a rotation needs heads of even width, not {head_dim}", "give an even head_dim", "head_dim")
        source = (d.memory_width or dim) if self.attend_to == "memory" else dim
        keys = self._kv_heads * head_dim
        d.child("query", self._map(self.num_heads * head_dim), dim)
        d.child("key", self._map(keys), source)
        if self.values == "projected":
            d.child("value", self._map(keys), source)
        elif self.values == "source" and source != keys:
            raise d.misfit(f"values of width {source} are not projected but keys are {keys} wide", "project values", "values")
        for names in [self._projected] if self.attend_to == "self" else [["query"], self._projected[1:]]:
            d.product("-".join(names), instead_of=tuple(names))
        if self.per_dim_scale:
            d.weight("query_scale", (head_dim,))
        heads = self.num_heads * head_dim
        return d.child("output", self._map(dim), heads) if self.project_output else heads

    def kept(self, d: Any, at: Any) -> float:
        """The input, queries, keys and values cut into heads, attention weights, and kernels side by side."""
        is_to_memory = self.attend_to == "memory"
        source = at.memory if is_to_memory else at.given
        names = [name for name in ("query", "key", "value") if name in d.children]
        query, *others = (d.children[name].features_out for name in names)
        weights = self.num_heads * source * (1 + 2 * factors_kept(self.dropout) + (1 if self.logit_cap else 0))
        numbers = at.inputs * (d.features_in + query * (2 if self.rotary else 1) + weights) + at.rows * source * sum(others)
        return numbers + sum(weight.size for name in names for weight in d.children[name].weights.values())

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time, dim]; what may be attended to follows from masks, segments and `causal`."""
        if self.attend_to == "memory":
            memory = self._memory(w, x)
            queries = self._queries(w, x.values)
            keys, values = self.keys_and_values(w, memory.values)
            mask = masks.allowed(x, memory, causal=False)
        else:
            queries, keys, values = self._rotate(x, *self._with_values(self._project(w, x.values, self._projected), x.values))
            mask = masks.allowed(x, x, self.causal)
        return x.with_values(self._read(w, queries, keys, values, masks.bias(mask, w.context.dtype)))

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        """To a memory: its keys and values, computed once, one row per sentence. To itself: an empty cache for max_length positions."""
        if self.attend_to == "memory":
            memory = self._memory(w, sequence)
            keys, values = self.keys_and_values(w, memory.values)
            fixed = {"keys": keys, "values": values}
            if memory.mask is not None:
                fixed["bias"] = masks.bias(masks.for_all_queries(memory.mask), w.context.dtype)
            w.prepare(self._joined(w, ["query"]))
            return fixed, {}
        if not self.causal:
            raise UserError(f"{w.path}: attention to later positions cannot run step by step", hint="set causal: true")
        w.prepare(self._joined(w, self._projected))
        batch, head_dim = tf.shape(sequence.values)[0], self._head_dim(w.query.kernel.shape[0])
        positions = max_length if w.context.room is None else tf.minimum(max_length, w.context.room)
        if w.context.width > 1:
            return {}, self._shared(w, batch, positions, head_dim)
        empty = cache.Separate(tf.zeros([batch, self._kv_heads, positions, head_dim], w.context.dtype))
        return {}, {"keys": empty, "values": empty}

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        if self.attend_to == "memory":  # hypotheses of a sentence become positions of one query: no copy of the memory per hypothesis
            rows, dim = tf.shape(fixed["keys"])[0], x.values.shape[-1]
            joined = w.prepared(lambda: self._joined(w, ["query"]))
            queries = self._apply(w, tf.reshape(x.values, [rows, -1, dim]), ["query"], joined)[0]
            y = self._read(w, queries, fixed["keys"], fixed["values"], fixed.get("bias"))
            return x.with_values(tf.reshape(y, [-1, 1, y.shape[-1]])), moving
        parts = self._apply(w, x.values, self._projected, w.prepared(lambda: self._joined(w, self._projected)))
        queries, keys, values = self._rotate(x, *self._with_values(parts, x.values))
        if isinstance(moving["keys"], cache.Shared):
            return self._step_shared(w, x, queries, keys, values, moving)
        new = {name: moving[name].written(x.start, one, w.context.for_xla) for name, one in (("keys", keys), ("values", values))}
        index = tf.range(tf.shape(new["keys"].buffer)[2])
        bias = masks.bias((index <= x.start)[tf.newaxis, tf.newaxis, tf.newaxis, :], w.context.dtype)
        return x.with_values(self._read(w, queries, new["keys"].buffer, new["values"].buffer, bias)), new

    def _shared(self, w: Any, batch: Any, positions: Any, head_dim: int) -> dict[str, Any]:
        """Caches for all hypotheses of a sentence; the first layer keeps their ancestors for all layers."""
        empty = cache.Shared(tf.zeros([batch, self._kv_heads, positions, 1, head_dim], w.context.dtype))
        moving: dict[str, Any] = {"keys": empty, "values": empty}
        if w.context.past is None:
            w.context.past = w.path  # the others find it taken
            moving["ancestors"] = cache.Ancestors(tf.fill([batch, positions], -1))
        return moving

    def _step_shared(self, w: Any, x: Sequence, queries: Any, keys: Any, values: Any, moving: Any) -> tuple[Sequence, Any]:
        """Hypotheses of a sentence are positions of one query, and what they wrote is one memory, of which each sees its own past."""
        width, heads, head_dim = w.context.width, queries.shape[1], queries.shape[3]
        new = {name: moving[name].written(x.start, one, w.context.for_xla) for name, one in (("keys", keys), ("values", values))}
        if "ancestors" in moving:
            new["ancestors"] = moving["ancestors"].descended(x.start, width)
            w.context.past = masks.bias(new["ancestors"].own_past(width), w.context.dtype)
        queries = tf.transpose(tf.reshape(queries, [-1, width, heads, head_dim]), [0, 2, 1, 3])  # [sentences, heads, width, head_dim]
        y = self._read(w, queries, new["keys"].positions(), new["values"].positions(), w.context.past)
        return x.with_values(tf.reshape(y, [-1, 1, y.shape[-1]])), new

    @property
    def _kv_heads(self) -> int:
        return self.num_kv_heads or self.num_heads

    @property
    def _projected(self) -> list[str]:
        return ["query", "key", "value"] if self.values == "projected" else ["query", "key"]

    def _head_dim(self, dim: int) -> int:
        return self.head_dim or dim // self.num_heads

    def _map(self, units: int) -> Dense:
        return Dense(units=units, use_bias=self.use_bias, kernel_initializer=self.kernel_initializer)

    def _memory(self, w: Any, x: Sequence) -> Sequence:
        if x.memory is None:
            hint = "use this layer in a decoder that has an encoder, or set attend_to: self"
            raise UserError(f"{w.path}: attends to a memory, and there is none", hint=hint)
        return x.memory

    def _queries(self, w: Any, values: Any) -> Any:
        return self._project(w, values, ["query"])[0]

    def keys_and_values(self, w: Any, values: Any) -> list[Any]:
        """A source's values [batch, time, dim] -> its keys and values, each [batch, kv heads, time, head_dim]."""
        return self._with_values(self._project(w, values, self._projected[1:]), values)

    def _with_values(self, parts: list[Any], source: Any) -> list[Any]:
        """Adds the values to projected keys where they have no projection of their own."""
        if self.values == "projected":
            return parts
        return [*parts, parts[-1] if self.values == "keys" else split_heads(source, self._kv_heads)]

    def _project(self, w: Any, values: Any, names: list[str]) -> list[Any]:
        """values [batch, time, dim] -> for each name [batch, its heads, time, head_dim], all by one product of matrices if they may.

        The scale of the scores is put into the query's kernel, which is smaller than the queries.
        """
        if not w.context.joins:
            return [self._apply(w, values, [name], self._joined(w, [name]))[0] for name in names]
        return self._apply(w, values, names, self._joined(w, names))

    def _joined(self, w: Any, names: list[str]) -> list[Any]:
        """One kernel for the projections of these names, and one bias where there are biases."""
        parts = zip(*[self._map_weights(w, name) for name in names], strict=True)
        return [tf.concat(part, -1) if len(names) > 1 else part[0] for part in parts if part[0] is not None]

    def _apply(self, w: Any, values: Any, names: list[str], joined: list[Any]) -> list[Any]:
        y = w.product(values, *joined, name="-".join(names))
        heads = [self.num_heads if name == "query" else self._kv_heads for name in names]
        if len(names) == 1:
            return [split_heads(y, heads[0])]
        head_dim = y.shape[-1] // sum(heads)
        return [split_heads(part, count) for part, count in zip(tf.split(y, [count * head_dim for count in heads], -1), heads, strict=True)]

    def _map_weights(self, w: Any, name: str) -> tuple[Any, Any]:
        view = getattr(w, name)
        kernel, bias = view.kernel, view.bias if self.use_bias else None
        if name != "query":
            return kernel, bias
        factor = 1.0 / math.sqrt(kernel.shape[1] // self.num_heads)
        if self.per_dim_scale:
            factor = tf.tile(tf.nn.softplus(w.query_scale) * (factor / math.log(2.0)), [self.num_heads])
        return kernel * factor, None if bias is None else bias * factor

    def _rotate(self, x: Sequence, queries: Any, keys: Any, values: Any) -> tuple[Any, Any, Any]:
        if self.rotary is None:
            return queries, keys, values
        positions = x.time_index()
        return self.rotary.rotate(queries, positions), self.rotary.rotate(keys, positions), values

    def _read(self, w: Any, queries: Any, keys: Any, values: Any, bias: Any) -> Any:
        heads = merge_heads(attend(w, queries, keys, values, bias, self.dropout, self.logit_cap))
        return w.output(heads) if self.project_output else heads
