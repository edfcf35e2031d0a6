"""Features of several groups, dealt out among them."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer
from seqcfg.component.types import PositiveInt
from seqcfg.lazy import tf


class ShuffleGroups(Layer, type="shuffle_groups"):
    """Cuts the features into groups of shards; shard s of group g becomes that of group g + s, counted round.

    After a `branch` of LSTMs it makes the grouped LSTM of Kuchaiev & Ginsburg 2017 (arXiv:1703.10722) as Lingvo's LSTMCellGrouped
    has it: groups of one layer see all groups of the layer below.
    """

    num_groups: PositiveInt = param(doc="Number of groups.")
    num_shards: PositiveInt = param(doc="Number of parts that a group is cut into; with the groups it divides the width.")

    def declare(self, d: Any, dim: int) -> int:
        if dim % (self.num_groups * self.num_shards):
            raise d.misfit(f"{self.num_groups} groups of {self.num_shards} shards do not divide the width {dim}", "", "num_shards")
        return dim

    def __call__(self, w: Any, x: Any) -> Any:
        """x [..., dim] -> [..., dim]."""
        shards, count = tf.split(x, self.num_groups * self.num_shards, -1), self.num_shards
        order = [((group + shard) % self.num_groups) * count + shard for group in range(self.num_groups) for shard in range(count)]
        return tf.concat([shards[place] for place in order], -1)
