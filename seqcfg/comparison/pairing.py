"""Pairing: which stored evaluations of several runs belong together, and what stands against comparing their outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.comparison.sides import Side
from seqcfg.runs.evaluations import StoredEvaluation


def choose(found: list[list[StoredEvaluation]]) -> list[StoredEvaluation | None]:
    """One evaluation for each side: of a checkpoint and name that all have, where there is one; else each side's newest step.

    Usual ones are preferred to those that were given a name.
    """
    told = [one for one in found if one]
    common = set.intersection(*({(one.checkpoint, one.name) for one in side} for side in told)) if told else set()

    def worth(one: StoredEvaluation) -> tuple[bool, bool, int]:
        return (one.checkpoint, one.name) in common, not one.name, one.step

    chosen = [max(side, key=worth) if side else None for side in found]
    if common:  # of several in common the same for all
        best = max((one for side in told for one in side if (one.checkpoint, one.name) in common), key=worth)
        key = (best.checkpoint, best.name)
        chosen = [next((one for one in side if (one.checkpoint, one.name) == key), None) for side in found]
    return chosen


def pairing_obstacle(split: str, sides: list[Side], chosen: list[StoredEvaluation | None]) -> str:
    """Why outputs for a split cannot be compared line by line; empty where they can."""
    first: tuple[Side, list[str], list[str]] | None = None
    for side, one in zip(sides, chosen):
        if one is None or not lines(one, "references"):
            continue
        sources, references = lines(one, "sources"), lines(one, "references")
        if first is None:
            first = side, sources, references
            continue
        if len(references) != len(first[2]):
            return f"{split}: {first[0].label} was evaluated on {len(first[2]):,} lines and {side.label} on {len(references):,}"
        if (sources, references) != first[1:]:
            number = next(n for n, pair in enumerate(zip(zip(sources, references), zip(*first[1:])), 1) if pair[0] != pair[1])
            return f"{split}: {first[0].label} and {side.label} were evaluated on different lines (the first is line {number})"
    return ""


def unlike_decoding(split: str, sides: list[Side], chosen: list[StoredEvaluation | None]) -> str:
    """In which settings outputs for a split were searched for differently; empty where they were not."""
    told = {side.label: dict(_flat(one.summary.get("decoding") or {})) for side, one in zip(sides, chosen) if one is not None}
    known = [settings for settings in told.values() if settings]
    differing = [name for name in dict.fromkeys(name for one in known for name in one) if len({repr(one.get(name)) for one in known}) > 1]
    if not differing:
        return ""
    values = ", ".join(f"{settings.get(differing[0])} in {label}" for label, settings in told.items() if settings)
    more = f", and {len(differing) - 1} more settings" if len(differing) > 1 else ""
    return f"{split} was decoded differently: {differing[0]} is {values}{more}"


def _flat(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flat(item, f"{path}{key}.")
        else:
            yield f"{path}{key}", item


def lines(evaluation: StoredEvaluation, name: str) -> list[str]:
    """sources, hypotheses or references, one for each example; empty where they are not stored."""
    try:
        text = (evaluation.folder / f"{name}.txt").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return text.removesuffix("\n").split("\n") if text else []
