"""Encoding: from raw examples of a split to rows of columns, with a count of everything that is dropped."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from seqcfg.component.reserved_ids import END, START, UNKNOWN
from seqcfg.data.columns import ColumnWriter
from seqcfg.data.example import Example
from seqcfg.data.feature import Feature
from seqcfg.data.tokenizers.codec import Codec
from seqcfg.errors import UserError
from seqcfg.lazy import np

CHUNK_EXAMPLES = 4096
SHOWN_DROPS = 5


@dataclasses.dataclass
class Counts:
    """What became of a split's examples; `dropped` names the place and the reason of the first few."""

    read: int = 0
    kept: int = 0
    empty: int = 0
    bad: int = 0
    dropped: list[str] = dataclasses.field(default_factory=list)

    def drop(self, example: Example, reason: str) -> None:
        if len(self.dropped) < SHOWN_DROPS:
            self.dropped.append(f"{example.place}: {reason}")


@dataclasses.dataclass(frozen=True)
class SplitRules:
    """name of the split, whether examples with an empty text are skipped, and how many damaged ones are put up with."""

    name: str
    skips_empty: bool
    max_bad_examples: int


def usable(examples: Iterable[Example], fields: set[str], rules: SplitRules, counts: Counts) -> Iterator[Example]:
    """The examples that are kept; raises UserError once there are more damaged ones than the limit, or a field is missing."""
    for example in examples:
        counts.read += 1
        if example.problem:
            counts.bad += 1
            counts.drop(example, example.problem)
            if counts.bad > rules.max_bad_examples:
                raise _too_many(rules, counts)
            continue
        if missing := fields - set(example.fields):
            raise UserError(
                f"data.splits.{rules.name}: {example.place} has no field {min(missing)!r}; it has {', '.join(sorted(example.fields))}",
                hint="choose the names of the source's fields as the task expects them",
            )
        if rules.skips_empty and any(_is_empty(example.fields[name]) for name in fields):
            counts.empty += 1
            counts.drop(example, "empty")
            continue
        counts.kept += 1
        yield example


def write_split(
    examples: Iterator[Example], features: dict[str, Feature], codecs: dict[str, Codec], folder: Path, on_chunk: Callable[[int], None]
) -> dict[str, Any]:
    """Writes the columns of one split; returns {"examples", "columns", "statistics"} for the manifest."""
    folder.mkdir(parents=True)
    writers = {}
    for name, feature in features.items():
        writers[name] = ColumnWriter(folder, name, feature, codecs[feature.tokenizer].vocabulary if feature.tokenizer else 0)
    statistics: dict[str, dict[str, int]] = {name: {"tokens": 0, "unknown": 0, "longest": 0} for name, f in features.items() if f.tokenizer}
    num_examples = 0
    try:
        while chunk := list(itertools.islice(examples, CHUNK_EXAMPLES)):
            num_examples += len(chunk)
            for name, rows in _rows(chunk, features, codecs).items():
                writers[name].append(rows)
                if name in statistics:
                    _count(statistics[name], rows)
            on_chunk(len(chunk))
        columns = {name: writer.close() for name, writer in writers.items()}
    except BaseException:
        for writer in writers.values():
            writer.abandon()
        raise
    return {"examples": num_examples, "columns": columns, "statistics": statistics}


def _rows(chunk: list[Example], features: dict[str, Feature], codecs: dict[str, Codec]) -> dict[str, list[Any]]:
    encoded: dict[tuple[str, str], list[list[int]]] = {}
    rows: dict[str, list[Any]] = {}
    for name, feature in features.items():
        values = [_value(example, feature) for example in chunk]
        if feature.tokenizer:
            key = (feature.field, feature.tokenizer)
            if key not in encoded:
                encoded[key] = codecs[feature.tokenizer].encode(values)
            start, end = [START] * feature.start, [END] * feature.end
            rows[name] = [[*start, *ids, *end] for ids in encoded[key]]
        elif feature.dtype == "bytes":
            rows[name] = [value.encode("utf-8") if isinstance(value, str) else value for value in values]
        else:
            rows[name] = [_array(example, feature) for example in chunk]
    return rows


def _value(example: Example, feature: Feature) -> Any:
    value = example.fields[feature.field]
    is_text = bool(feature.tokenizer) or feature.dtype == "bytes"
    if is_text and not isinstance(value, (str, bytes) if feature.dtype == "bytes" else str):
        raise UserError(
            f"{example.place}: {feature.field!r} is {value!r:.60} and not text", hint="write it as a string, or name another field"
        )
    return value


def _array(example: Example, feature: Feature) -> Any:
    """A raw value as it is stored: scaled, and [time, *frame] or [*frame]."""
    value = np.asarray(example.fields[feature.field])
    wanted = f"[time{''.join(f', {size}' for size in feature.frame)}]" if feature.is_ragged else list(feature.frame)
    frame = value.shape[1:] if feature.is_ragged and value.ndim else value.shape
    if value.dtype.kind not in "biuf" or frame != tuple(feature.frame) or (feature.is_ragged and not value.ndim):
        raise UserError(
            f"{example.place}: {feature.field!r} is {value.dtype} {list(value.shape)}, and the task reads numbers {wanted}",
            hint="choose the sizes of the task and the source alike, or name another field",
        )
    if feature.scale == 1.0:
        return value
    value = value * feature.scale
    dtype = np.dtype(feature.storage or feature.dtype)
    return np.clip(np.rint(value), np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype) if dtype.kind in "iu" else value


def _is_empty(value: Any) -> bool:
    return not value.strip() if isinstance(value, str) else isinstance(value, np.ndarray) and value.ndim > 0 and not len(value)


def _count(statistics: dict[str, int], rows: list[list[int]]) -> None:
    statistics["tokens"] += sum(map(len, rows))
    statistics["unknown"] += sum(row.count(UNKNOWN) for row in rows)
    statistics["longest"] = max(statistics["longest"], *map(len, rows))


def _too_many(rules: SplitRules, counts: Counts) -> UserError:
    shown = "".join(f"\n    {place}" for place in counts.dropped)
    return UserError(
        f"data.splits.{rules.name}: more than {rules.max_bad_examples} damaged examples (data.max_bad_examples), the first:{shown}",
        hint="mend the files, or raise data.max_bad_examples to skip such examples and have them counted",
    )
