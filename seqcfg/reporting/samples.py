"""Outputs of runs on the same lines, and where their attention went."""

from __future__ import annotations

import dataclasses

from seqcfg.comparison.pairing import choose, lines
from seqcfg.comparison.sides import Side
from seqcfg.runs.evaluations import StoredEvaluation


@dataclasses.dataclass(frozen=True)
class Sample:
    """One line of a split: outputs by side, None where a side has no evaluation of the split."""

    number: int
    source: str
    reference: str
    outputs: tuple[str | None, ...]


@dataclasses.dataclass(frozen=True)
class Attention:
    """Where an output looked: weights [target, source], as `seqcfg evaluate --alignments` keeps it."""

    side: Side
    number: int
    source: list[str]
    target: list[str]
    weights: list[list[float]]


def samples(stored: list[list[StoredEvaluation]], count: int) -> dict[str, list[Sample]]:
    """By split, `count` lines: half of them such that outputs differ from one another or from the reference, the rest spread evenly."""
    found = {}
    for split in dict.fromkeys(one.split for side in stored for one in side):
        chosen = choose([[one for one in side if one.split == split] for side in stored])
        table = _table(chosen)
        if table:
            found[split] = [table[index] for index in _picked(table, count)]
    return found


def attention_maps(sides: list[Side], stored: list[list[StoredEvaluation]], count: int) -> list[Attention]:
    """The first `count` maps of each run's newest evaluation that has some."""
    found = []
    for side, evaluations in zip(sides, stored, strict=True):
        for one in reversed(evaluations):
            maps = [Attention(side, int(told["line"]), told["source"], told["target"], told["weights"]) for told in one.attention()]
            if maps:
                found += maps[:count]
                break
    return found


def _table(chosen: list[StoredEvaluation | None]) -> list[Sample]:
    """All lines of a split; sides whose lines are not those of the first are left out."""
    outputs: list[list[str] | None] = []
    first: tuple[list[str], list[str]] | None = None
    for one in chosen:
        texts = (lines(one, "sources"), lines(one, "references")) if one is not None else ([], [])
        hypotheses = lines(one, "hypotheses") if one is not None else []
        if hypotheses and first is None:
            first = texts
        outputs.append(hypotheses if hypotheses and texts == first else None)
    if first is None:
        return []
    rows = zip(*first, strict=True)
    return [
        Sample(number, source, reference, tuple(column[number - 1] if column is not None else None for column in outputs))
        for number, (source, reference) in enumerate(rows, 1)
    ]


def _picked(table: list[Sample], count: int) -> list[int]:
    telling = [index for index, one in enumerate(table) if {text for text in one.outputs if text is not None} != {one.reference}]
    half = _spread(telling, count // 2)
    rest = [index for index in range(len(table)) if index not in set(half)]
    return sorted([*half, *_spread(rest, count - len(half))])


def _spread(items: list[int], count: int) -> list[int]:
    if len(items) <= count:
        return items
    return [items[place * len(items) // count] for place in range(count)]
