"""Augmenting batches: random changes that are a function of the seed, the batch's number and their place in the recipe."""

from __future__ import annotations

import hashlib
from typing import Any

from seqcfg.lazy import np


class Draw:
    """Random numbers from a counter-based generator (Philox; Salmon et al. 2011), the same with every version of numpy."""

    def __init__(self, *key: Any):
        digest = hashlib.sha256(repr(key).encode()).digest()
        self._bits = np.random.Philox(key=int.from_bytes(digest[:16], "little"))

    def uniform(self, *shape: int) -> Any:
        """float64 in [0, 1)."""
        raw = self._bits.random_raw(int(np.prod(shape, dtype=np.int64)))
        return ((raw >> np.uint64(11)) * 2.0**-53).reshape(shape)

    def normal(self, *shape: int) -> Any:
        """Standard normal float64 (Box and Muller 1958)."""
        radius, angle = self.uniform(*shape), self.uniform(*shape)
        return np.sqrt(-2.0 * np.log1p(-radius)) * np.cos(2 * np.pi * angle)

    def whole(self, limits: Any) -> Any:
        """int64 in 0 .. limit - 1 for each limit, 0 where that is 0 or less."""
        limits = np.asarray(limits)
        return (self.uniform(*limits.shape) * np.maximum(limits, 1)).astype(np.int64)


def augmented(arrays: dict[str, Any], augmentation: dict[str, list[Any]], seed: int, number: int) -> dict[str, Any]:
    """The arrays of the whole batch `number` after all changes; each replica then takes its rows."""
    arrays = dict(arrays)
    for name, changes in augmentation.items():
        for place, change in enumerate(changes):
            draw = Draw("augmentation", seed, int(number), name, place)
            values, lengths = change(arrays[name], arrays.get(f"{name}_length"), draw)
            arrays[name] = values.astype(arrays[name].dtype, copy=False)
            if lengths is not None:
                arrays[f"{name}_length"] = lengths.astype(np.int32)
    return arrays
