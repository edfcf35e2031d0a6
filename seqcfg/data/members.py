"""Members: which examples belong to which class, asked by class and rank, in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.lazy import np

CHUNK = 1 << 20  # examples looked at together
LISTED_EXAMPLES = 1 << 22  # up to so many the examples of each class are listed; beyond, a byte or two per example must do
BLOCK_TABLE_BYTES = 48 << 20


class Members:
    """The examples of each class, in increasing order of their numbers.

    classes  uint8 or uint16 [examples]; the largest value of the dtype belongs to no class
    """

    def __init__(self, classes: Any, sizes: Any):
        self.classes, self.sizes = classes, sizes
        self._order: Any = None
        if len(classes) <= LISTED_EXAMPLES:
            self._order = np.argsort(classes, kind="stable").astype(np.int32)
            self._starts = np.concatenate([[0], np.cumsum(sizes)])
        else:
            self._block = max(1024, -(-len(classes) * len(sizes) * 4 // BLOCK_TABLE_BYTES))
            self._before = self._count_blocks()

    @property
    def none(self) -> int:
        """The class of examples that belong to none."""
        return int(np.iinfo(self.classes.dtype).max)

    @property
    def left_out(self) -> Any:
        """The examples that belong to no class."""
        return np.flatnonzero(self.classes == self.none)

    def select(self, number: int, ranks: Any) -> Any:
        """The examples of a class at these ranks, counted from 0: int64 [ranks]."""
        if self._order is not None:
            return self._order[self._starts[number] + ranks].astype(np.int64)
        before = self._before[:, number]
        blocks = np.searchsorted(before, ranks, side="right") - 1
        within = ranks - before[blocks]
        found = np.empty([len(ranks)], np.int64)
        for row, (block, rank) in enumerate(zip(blocks.tolist(), within.tolist(), strict=True)):
            start = block * self._block
            found[row] = start + np.flatnonzero(self.classes[start : start + self._block] == number)[rank]
        return found

    def _count_blocks(self) -> Any:
        """int32 or int64 [blocks + 1, classes]: examples of each class before each block."""
        blocks = -(-len(self.classes) // self._block)
        before = np.zeros([blocks + 1, len(self.sizes)], np.int32 if len(self.classes) < 1 << 31 else np.int64)
        for block in range(blocks):
            part = self.classes[block * self._block : (block + 1) * self._block]
            before[block + 1] = before[block] + np.bincount(part, minlength=self.none + 1)[: len(self.sizes)]
        return before


def class_dtype(count: int) -> Any:
    """The dtype that holds so many classes and the sign for none."""
    return np.dtype(np.uint8 if count < 256 else np.uint16)


def chunks(lengths: dict[str, Any]) -> Iterator[tuple[slice, list[Any]]]:
    """(place, lengths of each feature as int64) of all examples, a chunk at a time."""
    total = len(next(iter(lengths.values())))
    for start in range(0, total, CHUNK):
        part = slice(start, min(start + CHUNK, total))
        yield part, [np.asarray(length[part], np.int64) for length in lengths.values()]
