"""Texts to padded id arrays, as searches want them."""

from __future__ import annotations

from typing import Any

from seqcfg.component.reserved_ids import END
from seqcfg.lazy import np


def padded_ids(codec: Any, texts: list[str], end: bool = True) -> tuple[Any, Any]:
    """(ids [texts, longest] int32 padded with 0, lengths [texts] int32), with the end id where asked."""
    rows = [ids + [END] if end else ids for ids in codec.encode(texts)]
    lengths = np.array([len(row) for row in rows], np.int32)
    ids = np.zeros([len(rows), max(1, int(lengths.max(initial=0)))], np.int32)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
    return ids, lengths
