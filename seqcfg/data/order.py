"""Order: a shuffle that can be asked for any one position, without a list and without a history."""

from __future__ import annotations

import hashlib
from typing import Any

from seqcfg.lazy import np

ROUNDS = 8


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
        positions = np.atleast_1d(np.asarray(index, dtype=np.int64))
        if positions.size and (positions.min() < 0 or positions.max() >= self.size):
            raise IndexError(f"position outside 0 .. {self.size - 1}")
        values = self._network(positions.astype(np.uint64))
        outside = np.flatnonzero(values >= self.size)
        while outside.size:
            values[outside] = self._network(values[outside])
            outside = outside[values[outside] >= self.size]
        return int(values[0]) if np.ndim(index) == 0 else values.astype(np.int64)

    def _network(self, values: Any) -> Any:
        bits, left_mask, right_mask = (np.uint64(n) for n in (self._right_bits, self._left_mask, self._right_mask))
        left, right = values >> bits, values & right_mask
        for even, odd in zip(self._keys[::2], self._keys[1::2], strict=True):
            left = left ^ (_mix(right, np.uint64(even)) & left_mask)
            right = right ^ (_mix(left, np.uint64(odd)) & right_mask)
        return (left << bits) | right


def _mix(values: Any, key: Any) -> Any:
    """A 64-bit hash of each value (the finaliser of SplitMix64, Steele et al. 2014)."""
    values = (values ^ key) * np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
