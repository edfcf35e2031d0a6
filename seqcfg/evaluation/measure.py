"""Metrics applied to decoded text: values, intervals, and the statistics of each line that they follow from."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.metrics.score import Score
from seqcfg.metrics.significance import bootstrap_interval


@dataclasses.dataclass(frozen=True)
class Measured:
    """One metric: its score, and statistics [lines, numbers] and the value of each line where it has them."""

    metric: Any
    score: Score
    statistics: Any = None
    line_values: list[float] | None = None


def measure(
    settings: Any,
    sources: list[str],
    decoded: list[Any],
    references: list[list[str]],
    losses: dict[str, float],
    counts: dict[str, float],
) -> list[Measured]:
    """Every metric of an evaluation section; decoded: decoding.decoder.Decoded, losses and counts as Perplexity reads them."""
    measured = []
    for metric in settings.metrics:
        if metric.needs == "loss":
            measured.append(Measured(metric, metric.from_means(losses, counts)))
            continue
        hypotheses = [one.text for one in decoded] if metric.num_candidates == 1 else [one.texts for one in decoded]
        extra = {"sources": sources} if metric.needs == "sources" else {}
        statistics = metric.statistics(hypotheses, references, **extra)
        score = metric.score(statistics, references)
        measured.append(Measured(metric, _with_interval(score, metric, statistics, settings), statistics, metric.line_values(statistics)))
    return measured


def _with_interval(score: Score, metric: Any, statistics: Any, settings: Any) -> Score:
    wanted = settings.interval
    if not wanted.samples:
        return score
    options = {"samples": wanted.samples, "confidence": wanted.confidence, "seed": wanted.seed}
    found = bootstrap_interval(statistics, metric.from_statistics, **options)
    interval = {"low": found.low, "high": found.high, "confidence": found.confidence, "samples": found.samples, "seed": wanted.seed}
    return dataclasses.replace(score, interval=interval)


def counts_of(texts: list[Any], tokens: float) -> dict[str, float]:
    """How much text there is: tokens as given, words between white space and bytes of UTF-8, each line's end counting as one."""
    lines = [text if isinstance(text, str) else text[0] for text in texts]
    words = sum(len(line.split()) + 1 for line in lines)
    return {"tokens": tokens, "words": words, "bytes": sum(len(line.encode("utf-8")) + 1 for line in lines)}
