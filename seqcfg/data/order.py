"""Order: a shuffle that can be asked for any one position, without a list and without a history."""

from __future__ import annotations

import hashlib
from typing import Any

from seqcfg.lazy import np

ROUNDS = 8
WORD = (1 << 64) - 1


class Permutation:
    """A pseudo-random bijection of 0 .. size - 1 that is fixed by (size, seed, labels) and takes constant memory.

    An alternating Feistel network (Luby and Rackoff 1988) permutes the smallest power of two that holds `size`; values
    outside are permuted again until they fall inside (cycle walking; Black and Rogaway 2002), less than twice on average.
    """

    def __init__(self, size: int, seed: int, *labels: Any):
        if size < 1:
            raise ValueError(f"a permutation of {size} things")
        self.size = size
        bits = max(2, (size - 1).bit_length())
        self._right_bits = bits // 2
        self._left_mask, self._right_mask = (1 << (bits - self._right_bits)) - 1, (1 << self._right_bits) - 1
        digest = hashlib.shake_256(repr((size, int(seed), *labels)).encode()).digest(8 * ROUNDS)
        self._keys = [int.from_bytes(digest[i : i + 8], "little") for i in range(0, 8 * ROUNDS, 8)]

    def __call__(self, index: Any) -> Any:
        """The image of an int, as an int, or of an integer array [n], as an int64 array; raises IndexError outside 0 .. size - 1."""
        return self._of_one(int(index)) if np.ndim(index) == 0 else self._of_many(np.asarray(index, dtype=np.int64))

    def _of_one(self, index: int) -> int:
        if not 0 <= index < self.size:
            raise IndexError(f"position {index} is outside 0 .. {self.size - 1}")
        index = self._network(index)
        while index >= self.size:
            index = self._network(index)
        return index

    def _of_many(self, positions: Any) -> Any:
        if positions.size and (positions.min() < 0 or positions.max() >= self.size):
            raise IndexError(f"position outside 0 .. {self.size - 1}")
        values = self._network(positions.astype(np.uint64))
        outside = np.flatnonzero(values >= self.size)
        while outside.size:
            values[outside] = self._network(values[outside])
            outside = outside[values[outside] >= self.size]
        return values.astype(np.int64)

    def _network(self, values: Any) -> Any:
        """One pass over an int, or over a uint64 array; the arithmetic is the same."""
        left, right = values >> self._right_bits, values & self._right_mask
        for even, odd in zip(self._keys[::2], self._keys[1::2], strict=True):
            left = left ^ (_mix(right, even) & self._left_mask)
            right = right ^ (_mix(left, odd) & self._right_mask)
        return (left << self._right_bits) | right


def _mix(values: Any, key: int) -> Any:
    """A 64-bit hash of each value (the finaliser of SplitMix64, Steele et al. 2014)."""
    values = ((values ^ key) * 0x9E3779B97F4A7C15) & WORD
    values = ((values ^ (values >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    values = ((values ^ (values >> 27)) * 0x94D049BB133111EB) & WORD
    return values ^ (values >> 31)
