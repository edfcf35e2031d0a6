"""Statistics of prepared data: how many examples, how long, and what was dropped."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.data.columns import Columns
from seqcfg.data.prepared import read_manifest
from seqcfg.data.root import cache_folder
from seqcfg.lazy import np


@dataclasses.dataclass(frozen=True)
class Lengths:
    """How long the examples of one feature are, in its own units: tokens, frames or bytes."""

    feature: str
    unit: str
    total: int
    mean: float
    median: float
    longest: int
    counts: list[int]  # of examples, in equal steps from 0 to `longest`


@dataclasses.dataclass(frozen=True)
class SplitStatistics:
    name: str
    examples: int
    read: int
    dropped: int
    lengths: list[Lengths]


def data_statistics(fingerprint: str, cache_root: str | None) -> list[SplitStatistics]:
    """The splits of the prepared data of that fingerprint; empty where it is not in the cache. Raises UserError where it is damaged."""
    folder = cache_folder(cache_root) / fingerprint
    manifest = read_manifest(folder)
    if manifest is None:
        return []
    found = []
    for name, entry in manifest["splits"].items():
        columns, counts = Columns(folder / "splits" / name, entry), entry.get("counts", {})
        read = counts.get("read", columns.num_examples)
        lengths = [
            _lengths(columns, feature, told) for feature, told in manifest["features"].items() if _is_counted(columns, feature, told)
        ]
        found.append(SplitStatistics(name, columns.num_examples, read, read - columns.num_examples, lengths))
    return found


def _is_counted(columns: Columns, feature: str, told: dict[str, Any]) -> bool:
    return feature in columns.names and told["is_ragged"] and (told["tokenizer"] or told["dtype"] != "bytes")


def _lengths(columns: Columns, feature: str, told: dict[str, Any], bins: int = 30) -> Lengths:
    lengths = columns.lengths(feature)
    longest = int(lengths.max(initial=0))
    counts, _ = np.histogram(lengths, bins=min(bins, max(1, longest)), range=(0, max(1, longest)))
    unit = "tokens" if told["tokenizer"] else "frames"
    return Lengths(feature, unit, int(lengths.sum()), float(lengths.mean()), float(np.median(lengths)), longest, [int(n) for n in counts])
