"""The batch plan: which examples make up batch n, for any n, by arithmetic."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.data.batching import Batching
from seqcfg.data.buckets import make_buckets
from seqcfg.data.columns import Columns
from seqcfg.data.feature import Feature
from seqcfg.data.order import Permutation
from seqcfg.errors import UserError
from seqcfg.lazy import np


@dataclasses.dataclass(frozen=True)
class Batch:
    """Batch `number`: the examples of its rows, -1 for rows that are padding, and the steps each feature is padded to."""

    number: int
    epoch: int
    bucket: int
    example_ids: Any
    time: dict[str, int]

    def part(self, index: int, parts: int) -> Batch:
        """The rows of replica `index` of `parts`; all parts have the same number of rows, and together they are the batch."""
        rows = -(-len(self.example_ids) // parts)
        padded = np.pad(self.example_ids, (0, rows * parts - len(self.example_ids)), constant_values=-1)
        return dataclasses.replace(self, example_ids=padded[index * rows : (index + 1) * rows])


class BatchPlan:
    """Every example once per epoch, in batches of about equal numbers of tokens and in an order new in each epoch.

    A function of (lengths, batching, seed): no state, no history. An example's bucket depends on its length alone, so
    the number of batches per epoch is constant; each bucket is shuffled per epoch, and so are the batches of an epoch.

    lengths  int [examples] by ragged feature; the last feature is cut into length classes first
    """

    def __init__(self, lengths: dict[str, Any], batching: Batching, seed: int):
        if not lengths:
            raise ValueError("a batch plan needs the lengths of at least one feature")
        longest = np.maximum.reduce(list(lengths.values()))
        fits = longest <= batching.max_length
        self.seed, self.num_examples, self.num_left_out = seed, int(fits.sum()), int((~fits).sum())
        self.left_out = np.flatnonzero(~fits)
        if not self.num_examples:
            raise UserError(
                f"no example of {len(longest)} has at most data.batching.max_length = {batching.max_length} tokens",
                hint=f"raise max_length, the shortest example has {longest.min()} tokens"
                if len(longest)
                else "the training split is empty",
            )
        self.buckets = make_buckets(lengths, np.flatnonzero(fits).astype(np.int32), batching)
        self._ends = np.cumsum([bucket.num_batches for bucket in self.buckets])
        self.batches_per_epoch = int(self._ends[-1])
        self.positions = sum(bucket.positions for bucket in self.buckets)
        self.tokens = int(sum(length[fits].sum(dtype=np.int64) for length in lengths.values()))

    @property
    def padding_share(self) -> float:
        """Share of the positions of an epoch that are padding, all features together."""
        return 1.0 - self.tokens / self.positions

    def batch(self, number: int) -> Batch:
        """Batch `number`, counted from 0 over all epochs."""
        epoch, position = divmod(int(number), self.batches_per_epoch)
        place = Permutation(self.batches_per_epoch, self.seed, "batches", epoch)(position)
        index = int(np.searchsorted(self._ends, place, side="right"))
        bucket = self.buckets[index]
        within = place - (int(self._ends[index]) - bucket.num_batches)
        size, larger = divmod(len(bucket.example_ids), bucket.num_batches)
        start = within * size + min(within, larger)
        slots = np.arange(start, start + size + (within < larger))
        shuffle = Permutation(len(bucket.example_ids), self.seed, "examples", epoch, index)
        ids = bucket.example_ids[shuffle(slots)].astype(np.int64)
        return Batch(int(number), epoch, index, np.pad(ids, (0, bucket.rows - len(ids)), constant_values=-1), bucket.time)


def training_plan(columns: Columns, features: dict[str, Feature], batching: Batching, seed: int) -> BatchPlan:
    """The batch plan of a split for a task's features."""
    ragged = [name for name, feature in features.items() if feature.is_ragged and feature.dtype != "bytes"]
    return BatchPlan({name: columns.lengths(name) for name in ragged}, batching, seed)
