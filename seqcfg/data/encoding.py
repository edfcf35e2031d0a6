"""Encoding: from raw examples to rows of columns, one chunk at a time; a pure function, so that processes can share the work."""

from __future__ import annotations

import itertools
from typing import Any

from seqcfg.component.reserved_ids import END, START, UNKNOWN
from seqcfg.data.column_writer import Packed, pack
from seqcfg.data.example import Example
from seqcfg.data.feature import Feature
from seqcfg.data.tokenizers.codec import Codec
from seqcfg.errors import UserError
from seqcfg.lazy import np

CHUNK_EXAMPLES = 4096


def encode_chunk(
    chunk: list[Example], first: int, features: dict[str, Feature], codecs: dict[str, Codec], variants: int
) -> dict[str, tuple[Packed, dict[str, int]]]:
    """The rows of all features of a chunk whose first example has the number `first`, `variants` rows of each example.

    By feature: values and lengths, and {"tokens", "unknown", "longest"} of ids.
    """
    encoded: dict[tuple[str, str], list[list[int]]] = {}
    found = {}
    for name, feature in features.items():
        values = [_value(example, feature) for example in chunk]
        statistics: dict[str, int] = {}
        if feature.tokenizer:
            key = (feature.field, feature.tokenizer)
            if key not in encoded:
                encoded[key] = _ids(values, first, codecs[feature.tokenizer], variants)
            start, end = [START] * feature.start, [END] * feature.end
            rows: list[Any] = [[*start, *ids, *end] for ids in encoded[key]]
            statistics = _statistics(rows)
        else:
            rows = [_bytes(value) if feature.dtype == "bytes" else _array(e, feature) for e, value in zip(chunk, values, strict=True)]
            rows = [row for row in rows for _ in range(variants)] if variants > 1 else rows
        found[name] = (pack(rows, feature, codecs[feature.tokenizer].vocabulary if feature.tokenizer else 0), statistics)
    return found


def add_statistics(total: dict[str, int], chunk: dict[str, int]) -> None:
    """Counts of one more chunk."""
    for name, value in chunk.items():
        total[name] = max(total[name], value) if name == "longest" else total[name] + value


def num_variants(features: dict[str, Feature], codecs: dict[str, Codec]) -> int:
    """Rows that a training example becomes: the most variants that one of its tokenizers makes."""
    return max((codecs[feature.tokenizer].num_variants for feature in features.values() if feature.tokenizer), default=1)


def _ids(texts: list[str], first: int, codec: Codec, variants: int) -> list[list[int]]:
    """The ids of each text, or of each of its variants; a codec with fewer variants begins again."""
    if variants == 1:
        return codec.encode(texts)
    if codec.num_variants == 1:
        return list(itertools.chain.from_iterable([ids] * variants for ids in codec.encode(texts)))
    return [codec.variant(text, number, one % codec.num_variants) for number, text in enumerate(texts, first) for one in range(variants)]


def _value(example: Example, feature: Feature) -> Any:
    value = example.fields[feature.field]
    is_text = bool(feature.tokenizer) or feature.dtype == "bytes"
    if is_text and not isinstance(value, (str, bytes) if feature.dtype == "bytes" else str):
        raise UserError(
            f"{example.place}: {feature.field!r} is {value!r:.60} and not text", hint="write it as a string, or name another field"
        )
    return value


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else value


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


def _statistics(rows: list[list[int]]) -> dict[str, int]:
    return {
        "tokens": sum(map(len, rows)),
        "unknown": sum(row.count(UNKNOWN) for row in rows),
        "longest": max(map(len, rows), default=0),
    }
