"""Writing the columns of a split, so that a process that is killed loses little of the work."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seqcfg.data.column_writer import ColumnWriter
from seqcfg.data.encoding import CHUNK_EXAMPLES, add_statistics
from seqcfg.data.example import Example
from seqcfg.data.feature import Feature
from seqcfg.data.workers import encoded
from seqcfg.runs.durable import write_file

JOURNAL, JOURNAL_SECONDS = "journal.json", 30.0
NO_TOKENS = {"tokens": 0, "unknown": 0, "longest": 0}


@dataclasses.dataclass(frozen=True)
class Encoder:
    """What turns examples into rows: features with their codecs, the rows per example, and what other processes need for it."""

    features: dict[str, Feature]
    codecs: dict[str, Any]
    variants: int
    tokenizers: dict[str, Any]
    folder: Path
    processes: int

    def vocabulary(self, feature: Feature) -> int:
        return self.codecs[feature.tokenizer].vocabulary if feature.tokenizer else 0


def write_split(
    examples: Iterator[Example], encoder: Encoder, folder: Path, on_chunk: Callable[[int], None]
) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """(rows, columns, statistics) for the manifest.

    Now and then all rows are synced and counted in a journal. If there is one, the examples it counts are read again,
    since what is kept may depend on those before, but not encoded again.
    """
    journal = _read_journal(folder, encoder.features)
    done, rows, statistics = journal["examples"], journal["rows"], journal["statistics"]
    writers = {
        name: ColumnWriter(folder, name, feature, encoder.vocabulary(feature), rows.get(name)) for name, feature in encoder.features.items()
    }
    done = sum(1 for _ in itertools.islice(examples, done))
    state = (encoder.features, encoder.codecs, encoder.variants)
    synced = time.monotonic()
    try:
        for size, found in encoded(_chunks(examples, done), state, encoder.tokenizers, encoder.folder, encoder.processes):
            done += size
            for name, (packed, counted) in found.items():
                writers[name].append_packed(packed)
                if counted:
                    add_statistics(statistics.setdefault(name, dict(NO_TOKENS)), counted)
            on_chunk(size)
            if time.monotonic() - synced > JOURNAL_SECONDS:
                rows = {name: writer.sync() for name, writer in writers.items()}
                write_file(folder / JOURNAL, json.dumps({"examples": done, "rows": rows, "statistics": statistics}))
                synced = time.monotonic()
        columns = {name: writer.close() for name, writer in writers.items()}
    except BaseException:
        for writer in writers.values():
            writer.abandon()
        raise
    (folder / JOURNAL).unlink(missing_ok=True)
    statistics = {name: statistics.get(name, dict(NO_TOKENS)) for name, f in encoder.features.items() if f.tokenizer}
    return done * encoder.variants, columns, statistics


def _read_journal(folder: Path, features: dict[str, Feature]) -> dict[str, Any]:
    """The journal of a process before this one, or an empty one and an empty folder."""
    try:
        journal = json.loads((folder / JOURNAL).read_text("utf-8"))
        if set(journal["rows"]) == set(features) and all((folder / f"{name}.values.npy").exists() for name in features):
            return journal
    except (OSError, ValueError, KeyError):
        pass
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return {"examples": 0, "rows": {}, "statistics": {}}


def _chunks(examples: Iterator[Example], first: int) -> Iterator[tuple[int, list[Example]]]:
    while chunk := list(itertools.islice(examples, CHUNK_EXAMPLES)):
        yield first, chunk
        first += len(chunk)
