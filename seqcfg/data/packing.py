"""Packing: several short examples in one row, told apart by segments, so that nearly nothing is padding."""

from __future__ import annotations

import bisect
from collections import defaultdict
from typing import Any

from seqcfg.data.batches import Batch, part_of
from seqcfg.data.batching import Batching
from seqcfg.data.members import Members, chunks, class_dtype
from seqcfg.data.order import Permutation
from seqcfg.errors import UserError
from seqcfg.lazy import np

Template = tuple[int, ...]  # lengths of the examples in one row


class PackedPlan:
    """Every example once per epoch, in rows of `max_length` steps that hold as many examples as fit.

    Which lengths share a row follows from the histogram of lengths alone (as in Krell et al. 2021, arXiv:2107.02027), so
    it is found once for all epochs; which examples of these lengths share it is new in each epoch, and so is the order
    of rows. Batch n is arithmetic: nothing is computed per epoch, and nothing is stored. An example's length is that of
    its longest feature.

    lengths  int [examples] by ragged feature, or what gives slices of them
    """

    is_packed = True

    def __init__(self, lengths: dict[str, Any], batching: Batching, seed: int):
        self.seed, self.capacity = seed, batching.max_length
        histogram, classes, tokens = self._classes(lengths)
        self.num_examples = int(histogram.sum())
        self.num_left_out = len(classes) - self.num_examples
        if not self.num_examples:
            raise UserError(f"no example of {len(classes)} has at most data.batching.max_length = {self.capacity} tokens")
        self.tokens, self.members = tokens, Members(classes, histogram)
        packed = pack_lengths(histogram, self.capacity)
        self.templates = [template for _, template in packed]
        self._ends = np.cumsum([count for count, _ in packed])
        self._bases = self._assign(packed)
        self._time = dict.fromkeys(lengths, self.capacity)
        self.num_rows = int(self._ends[-1])
        rows = max(1, batching.max_tokens // self.capacity)
        self.batches_per_epoch = -(-self.num_rows // rows)
        self.rows = -(-self.num_rows // self.batches_per_epoch)
        self.segments = max(map(len, self.templates))
        self.positions = self.batches_per_epoch * self.rows * self.capacity * len(lengths)

    @property
    def buckets(self) -> list[dict[str, int]]:
        """The one shape that all batches have."""
        return [self._time]

    @property
    def padding_share(self) -> float:
        """Share of the positions of an epoch that are padding, all features together."""
        return 1.0 - self.tokens / self.positions

    def batch(self, number: int) -> Batch:
        """Batch `number`, counted from 0 over all epochs; example_ids [rows, segments]."""
        epoch, position = divmod(int(number), self.batches_per_epoch)
        slots = part_of(self.num_rows, self.batches_per_epoch, position)
        rows = Permutation(self.num_rows, self.seed, "rows", epoch)(slots)
        ids = np.full([self.rows, self.segments], -1, np.int64)
        wanted = defaultdict(list)
        for row, place in enumerate(rows.tolist()):
            index = int(np.searchsorted(self._ends, place, side="right"))
            within = place - (int(self._ends[index - 1]) if index else 0)
            for segment, (length, base) in enumerate(zip(self.templates[index], self._bases[index], strict=True)):
                wanted[length].append((row, segment, base + within))
        for length, places in wanted.items():
            at = np.array(places, np.int64)
            shuffle = Permutation(int(self.members.sizes[length]), self.seed, "packed", epoch, length)
            ids[at[:, 0], at[:, 1]] = self.members.select(length, shuffle(at[:, 2]))
        return Batch(int(number), epoch, 0, ids, self._time)

    def _classes(self, lengths: dict[str, Any]) -> tuple[Any, Any, int]:
        """(examples by length [capacity + 1], the length of each example, tokens of all that fit)."""
        dtype = class_dtype(self.capacity + 1)
        total = len(next(iter(lengths.values())))
        classes, histogram, tokens = np.full([total], np.iinfo(dtype).max, dtype), np.zeros([self.capacity + 1], np.int64), 0
        for place, parts in chunks(lengths):
            longest = np.maximum(np.maximum.reduce(parts), 1)
            fits = longest <= self.capacity
            classes[place][fits] = longest[fits]
            histogram += np.bincount(longest[fits], minlength=self.capacity + 1)
            tokens += int(sum(part[fits].sum() for part in parts))
        return histogram, classes, tokens

    def _assign(self, packed: list[tuple[int, Template]]) -> list[list[int]]:
        """For each place of each template the first of the slots, among the examples of its length, that its rows take."""
        used: dict[int, int] = defaultdict(int)
        bases: list[list[int]] = []
        for count, template in packed:
            bases.append([])
            for length in template:
                bases[-1].append(used[length])
                used[length] += count
        return bases


def pack_lengths(histogram: Any, capacity: int) -> list[tuple[int, Template]]:
    """(rows, lengths in each of these rows) such that all examples are placed; the longest first, each where it leaves
    the least room (best fit decreasing; Johnson et al. 1974), counted by length instead of one by one."""
    open_rows: dict[int, list[tuple[int, Template]]] = {}  # by room left
    rooms: list[int] = []  # its keys, sorted

    def put(room: int, count: int, template: Template) -> None:
        if room not in open_rows:
            open_rows[room] = []
            bisect.insort(rooms, room)
        open_rows[room].append((count, template))

    for length in range(capacity, 0, -1):
        left = int(histogram[length])
        while left:
            place = bisect.bisect_left(rooms, length)
            if place == len(rooms):
                each = capacity // length
                if left >= each:
                    put(capacity - each * length, left // each, (length,) * each)
                if left % each:
                    put(capacity - left % each * length, 1, (length,) * (left % each))
                break
            room = rooms[place]
            count, template = open_rows[room].pop()
            if not open_rows[room]:
                del open_rows[room], rooms[place]
            taken = min(left, count)
            if count > taken:
                put(room, count - taken, template)
            put(room - length, taken, (*template, length))
            left -= taken
    return sorted((row for rows in open_rows.values() for row in rows), key=lambda row: (row[1], row[0]))
