"""Which units were taken for which others: the errors behind an error rate, counted."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

from seqcfg.metrics.error_rate import ErrorRate
from seqcfg.runs.html import Cell, Column, table

MOST = 50  # of each kind that are kept


def confusions(metric: ErrorRate, hypotheses: list[str], references: list[list[str]]) -> dict[str, list[list[Any]]]:
    """{"substitutions": [[reference, output, times]], "deletions": [[reference, times]], "insertions": [[output, times]]}.

    The most frequent of each kind first, equals in order of the alphabet; alignments are the metric's own, with the first reference.
    """
    outputs, wanted = [metric.normalized(text) for text in hypotheses], [metric.normalized(texts[0]) for texts in references]
    found: dict[str, Counter[tuple[str, ...]]] = {"substitutions": Counter(), "deletions": Counter(), "insertions": Counter()}
    for reference, output, chunks in zip(wanted, outputs, metric.aligned(wanted, outputs), strict=True):
        left, right = metric.units(reference), metric.units(output)
        for chunk in chunks:
            said, written = left[chunk.ref_start_idx : chunk.ref_end_idx], right[chunk.hyp_start_idx : chunk.hyp_end_idx]
            if chunk.type == "substitute":
                found["substitutions"].update(zip(said, written, strict=True))
            elif chunk.type == "delete":
                found["deletions"].update((one,) for one in said)
            elif chunk.type == "insert":
                found["insertions"].update((one,) for one in written)
    return {kind: [[*units, times] for units, times in ranked(counts)] for kind, counts in found.items()}


def ranked(counts: Counter[tuple[str, ...]]) -> list[tuple[tuple[str, ...], int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST]


def confusion_tables(name: str, found: dict[str, list[list[Any]]]) -> str:
    """HTML: one table per kind of error; empty where there is none."""
    heads = {"substitutions": ["reference", "output"], "deletions": ["left out"], "insertions": ["put in"]}
    parts = []
    for kind, head in heads.items():
        if not found.get(kind):
            continue
        rows = [[*(Cell(_shown(unit)) for unit in units), Cell(str(times), times)] for *units, times in found[kind]]
        columns = [*(Column(title) for title in head), Column("times", True)]
        parts.append(f"<details><summary>{escape(name)}: {kind}</summary>{table(f'{name}-{kind}', columns, rows)}</details>")
    return "".join(parts)


def _shown(unit: str) -> str:
    return "&#9251;" if unit == " " else escape(unit)
