"""Positions as rows of a learned table, added to the features."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer, SequenceLayer
from seqcfg.component.types import PositiveInt
from seqcfg.initializers.normal import Normal
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class LearnedPosition(SequenceLayer, type="learned_position"):
    """Adds a learned vector per position (arXiv:1705.03122, section 3.1); positions beyond the table share its last row."""

    max_length: PositiveInt = param(doc="Number of positions that have a vector of their own.")
    initializer: Initializer = param(factory=Normal, doc="How the table starts.")

    def declare(self, d: Any, dim: int) -> int:
        d.weight("table", (self.max_length, dim), self.initializer, axes=("position", "output"))
        return dim

    def kept(self, d: Any, at: Any) -> float:
        return 0

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time, dim]."""
        positions = tf.minimum(x.time_index(), self.max_length - 1)
        return x.with_values(x.values + tf.gather(w.table, positions))

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        return {}, {}

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        return w(x), moving
