"""The batch plan: which examples make up batch n, for any n, by arithmetic."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.data.batching import Batching
from seqcfg.data.buckets import make_buckets, take_census
from seqcfg.data.order import Permutation
from seqcfg.errors import UserError
from seqcfg.lazy import np


@dataclasses.dataclass(frozen=True)
class Batch:
    """Batch `number`: the examples of its rows, -1 for rows that are padding, and the steps each feature is padded to.

    example_ids  [rows], or [rows, segments] where several examples are packed into a row
    split        the split that they belong to, "" for the one that is trained on
    """

    number: int
    epoch: int
    bucket: int
    example_ids: Any
    time: dict[str, int]
    split: str = ""

    @property
    def num_examples(self) -> int:
        """How many there are in it."""
        return int((self.example_ids >= 0).sum())

    def part(self, index: int, parts: int) -> Batch:
        """The rows of replica `index` of `parts`; all parts have the same number of rows, and together they are the batch."""
        rows = -(-len(self.example_ids) // parts)
        missing = [(0, rows * parts - len(self.example_ids))] + [(0, 0)] * (self.example_ids.ndim - 1)
        padded = np.pad(self.example_ids, missing, constant_values=-1)
        return dataclasses.replace(self, example_ids=padded[index * rows : (index + 1) * rows])


class BatchPlan:
    """Every example once per epoch, in batches of about equal numbers of tokens and in an order new in each epoch.

    A function of (lengths, batching, seed): no state, no history. An example's bucket depends on its length alone, so
    the number of batches per epoch is constant; each bucket is shuffled per epoch, and so are the batches of an epoch.
    A batch costs the same whatever its number and the size of the corpus; the plan takes a few bytes per example.

    lengths  int [examples] by ragged feature, or what gives slices of them; the last feature is cut into length classes first
    """

    is_packed = False

    def __init__(self, lengths: dict[str, Any], batching: Batching, seed: int):
        if not lengths:
            raise ValueError("a batch plan needs the lengths of at least one feature")
        total = len(next(iter(lengths.values())))
        census = take_census(lengths, batching.max_length)
        self.seed, self.num_examples, self.num_left_out = seed, census.fitting, total - census.fitting
        if not self.num_examples:
            raise UserError(
                f"no example of {total} has at most data.batching.max_length = {batching.max_length} tokens",
                hint=f"raise max_length, the shortest example has {census.shortest} tokens" if total else "the training split is empty",
            )
        self.buckets, self.members = make_buckets(lengths, census, batching)
        self._ends = np.cumsum([bucket.num_batches for bucket in self.buckets])
        self.batches_per_epoch = int(self._ends[-1])
        self.positions = sum(bucket.positions for bucket in self.buckets)
        self.tokens = census.tokens

    @property
    def left_out(self) -> Any:
        """Numbers of the examples that are too long."""
        return self.members.left_out

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
        slots = part_of(bucket.size, bucket.num_batches, place - (int(self._ends[index]) - bucket.num_batches))
        ids = self.members.select(index, Permutation(bucket.size, self.seed, "examples", epoch, index)(slots))
        return Batch(int(number), epoch, index, np.pad(ids, (0, bucket.rows - len(ids)), constant_values=-1), bucket.time)


def part_of(total: int, parts: int, index: int) -> Any:
    """The numbers of part `index` where 0 .. total - 1 are cut into parts that differ by at most one."""
    size, larger = divmod(total, parts)
    start = index * size + min(index, larger)
    return np.arange(start, start + size + (index < larger))
