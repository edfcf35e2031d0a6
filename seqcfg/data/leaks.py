"""Leaks: held-out examples that training sees, too."""

from __future__ import annotations

import hashlib
from typing import Any

from seqcfg.data.columns import Columns
from seqcfg.lazy import np

BLOCK = 1 << 16
MAX_SEPARATE = 5_000_000  # beyond so many training examples only whole examples are compared


def find_leaks(splits: dict[str, Columns], training: list[str], texts: list[str]) -> dict[str, dict[str, int]]:
    """{held-out split: {"examples": how many are training examples, "<feature>": how many have a text that training has}}.

    Compared by the texts of the named features, byte for byte, with a hash of 64 bits. Empty where there are no texts.
    """
    if not texts or not training:
        return {}
    held_out = {name: columns for name, columns in splits.items() if name not in training}
    total = sum(splits[name].num_examples for name in training)
    groups = {"examples": texts} | ({name: [name] for name in texts} if len(texts) > 1 and total <= MAX_SEPARATE else {})
    found: dict[str, dict[str, int]] = {name: {} for name in held_out}
    for group, names in groups.items():
        known = np.unique(np.concatenate([hashes(splits[name], names) for name in training]))
        for split, columns in held_out.items():
            found[split][group] = int(np.isin(hashes(columns, names), known).sum())
    return found


def hashes(columns: Columns, names: list[str]) -> Any:
    """uint64 [examples]: a hash of the texts of each example."""
    found = np.zeros([columns.num_examples], np.uint64)
    for start in range(0, columns.num_examples, BLOCK):
        ids = range(start, min(start + BLOCK, columns.num_examples))
        rows = [columns.raw(name, ids) for name in names]
        digests = [hashlib.blake2b(b"\0".join(row), digest_size=8).digest() for row in zip(*rows, strict=True)]
        found[start : start + len(digests)] = np.frombuffer(b"".join(digests), "<u8")
    return found
