"""Attention that reads a memory one query after the other, and may remember where it read."""

from __future__ import annotations

from typing import Any

from seqcfg.component.kinds import SequenceLayer
from seqcfg.errors import UserError
from seqcfg.layers.attention.scores import merge_heads, split_heads
from seqcfg.layers.scan import scan
from seqcfg.layers.sequence import Sequence, refuse_packed
from seqcfg.lazy import tf

OTHERS_KEPT = 4  # numbers per query and position of the memory besides: scores, weights, and where it read before


class Aligning(SequenceLayer):
    """A query's weights on the positions of a memory, and the memory's mean under them, as wide as the memory.

    Members define `keys(w, values)`, what is made of the memory once; `first(w, memory)`, where the alignment starts, tensors
    [batch, ...]; and `align(w, queries, fixed, state)`, which gives the weights [batch, heads, n, source], 0 at padding, and the
    next state, for queries [batch, n, dim] and a state [batch, n, ...] of n hypotheses of each sentence.
    """

    respects_segments = False

    def declare(self, d: Any, dim: int) -> int:
        self.declare_energies(d, dim, d.memory_width or dim)
        return d.memory_width or dim

    def declare_energies(self, d: Any, query: int, source: int) -> None:
        """Declares what weights are made with."""

    def keys(self, w: Any, values: Any) -> dict[str, Any]:
        return {}

    def first(self, w: Any, memory: Sequence) -> dict[str, Any]:
        return {}

    def align(self, w: Any, queries: Any, fixed: Any, state: Any) -> tuple[Any, dict[str, Any]]:
        raise TypeError(f"{type(self).__name__} defines no align")

    def kept(self, d: Any, at: Any) -> float:
        """Of each query and each position of the memory, what the sum of both was behind its tanh, and a few numbers more."""
        return at.outputs * at.memory * (getattr(self, "hidden", 0) + OTHERS_KEPT) * getattr(self, "num_heads", 1)

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        refuse_packed(x, f"{w.path}: an alignment")
        fixed, state = self.start(w, x, None)
        if not state:  # positions do not wait for one another
            return x.with_values(self._read(w, x.values, fixed, {})[0])

        def step(w: Any, inputs: dict[str, Any], state: Any) -> tuple[dict[str, Any], Any]:
            y, new = self._read(w, inputs["query"][:, tf.newaxis], fixed, state)
            new = new if "real" not in inputs else tf.nest.map_structure(lambda n, old: held(inputs["real"], n, old), new, state)
            return {"context": y[:, 0]}, new

        inputs = {"query": x.values} if x.mask is None else {"query": x.values, "real": x.mask}
        outputs, _ = scan(w, step, inputs, state, {"context": self._width(fixed)})
        return x.with_values(outputs["context"])

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        """The memory and what is made of it, one row per sentence; where the alignment starts."""
        memory = memory_of(w, sequence)
        mask = tf.ones(tf.shape(memory.values)[:2], tf.bool) if memory.mask is None else memory.mask
        return {"values": memory.values, "is_real": mask} | self.keys(w, memory.values), self.first(w, memory)

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """Hypotheses of a sentence become n queries to its memory: no copy of the memory per hypothesis."""
        rows = tf.shape(fixed["values"])[0]
        y, moving = self._read(w, tf.reshape(x.values, [rows, -1, x.values.shape[-1]]), fixed, moving)
        return x.with_values(tf.reshape(y, [-1, 1, y.shape[-1]])), moving

    def _read(self, w: Any, queries: Any, fixed: Any, state: Any) -> tuple[Any, Any]:
        """queries [batch, n, dim], state [batch * n, ...] -> contexts [batch, n, width], state."""
        batch, n = tf.shape(queries)[0], tf.shape(queries)[1]
        parts = tf.nest.map_structure(lambda s: tf.reshape(s, tf.concat([[batch, n], tf.shape(s)[1:]], 0)), state)
        weights, parts = self.align(w, queries, fixed, parts)
        new = tf.nest.map_structure(lambda part, old: tf.reshape(part, tf.shape(old)), parts, state)
        values = split_heads(fixed["values"], weights.shape[1])
        return merge_heads(tf.matmul(tf.cast(weights, values.dtype), values)), new

    def _width(self, fixed: Any) -> int:
        return fixed["values"].shape[-1]


def memory_of(w: Any, x: Sequence) -> Sequence:
    """What a decoder's sequence attends to; raises UserError where there is nothing."""
    if x.memory is None:
        hint = "use this layer in a decoder that has an encoder"
        raise UserError(f"{w.path}: attends to a memory, and there is none", hint=hint)
    return x.memory


def held(is_real: Any, new: Any, old: Any) -> Any:
    """New rows where is_real [batch], else the old ones."""
    return tf.where(tf.reshape(is_real, tf.concat([tf.shape(is_real), tf.ones([old.shape.rank - 1], tf.int32)], 0)), new, old)


def first_position(memory: Sequence) -> Any:
    """All weight on the first position: float32 [batch, source]."""
    shape = tf.shape(memory.values)
    return tf.tile(tf.one_hot(0, shape[1])[tf.newaxis], [shape[0], 1])
