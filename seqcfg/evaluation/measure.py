"""Metrics applied to what a model gave: values, intervals, and the statistics of each line that they follow from."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.metrics.perplexity import Perplexity, size, words
from seqcfg.metrics.score import Score
from seqcfg.metrics.significance import bootstrap_interval
from seqcfg.metrics.text_metric import TextMetric


@dataclasses.dataclass(frozen=True)
class Measured:
    """One metric: its score, and statistics [lines, numbers] and the value of each line where it has them."""

    metric: Any
    score: Score
    statistics: Any = None
    line_values: list[float] | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What metrics look at; a list is empty where no metric needs it.

    references[i] are those of line i; decoded: decoding.decoder.Decoded; scored: decoding.scoring.Scored of the first
    references; losses: means in nats per weighted token, of which there are `weight`; is_alone: whether scores are those of
    the model that losses speak of, and not of an ensemble.
    """

    sources: list[str]
    references: list[list[str]]
    decoded: list[Any]
    scored: list[Any]
    losses: dict[str, float]
    weight: float
    is_alone: bool = True


def measure(settings: Any, outcome: Outcome) -> list[Measured]:
    """Every metric of an evaluation section."""
    return [_measure(metric, settings.interval, outcome) for metric in settings.metrics]


def _measure(metric: Any, wanted: Any, outcome: Outcome) -> Measured:
    references = outcome.references
    if metric.needs == "loss":
        return _of_losses(metric, wanted, outcome)
    if metric.needs == "scored":
        statistics = metric.statistics(outcome.scored, references)
    else:
        best = getattr(metric, "num_candidates", 1) == 1
        hypotheses = [one.text if best else one.texts for one in outcome.decoded]
        if not isinstance(metric, TextMetric):  # somebody else's, who may not know of statistics
            return Measured(metric, metric.compute(hypotheses, references))
        extra = {"sources": outcome.sources} if metric.needs == "sources" else {}
        statistics = metric.statistics(hypotheses, references, **extra)
    score = metric.score(statistics, references)
    return Measured(metric, _with_interval(score, metric, statistics, wanted), statistics, metric.line_values(statistics))


def _of_losses(metric: Any, wanted: Any, outcome: Outcome) -> Measured:
    if not isinstance(metric, Perplexity):
        return Measured(metric, metric.from_means(outcome.losses))
    texts = [texts[0] for texts in outcome.references]
    counts = {"tokens": outcome.weight, "words": sum(map(words, texts)), "bytes": sum(map(size, texts))}
    score = metric.from_means(outcome.losses, counts if texts else None)
    if not outcome.scored or not outcome.is_alone or metric.loss != "nll":
        return Measured(metric, score)
    statistics = metric.statistics(outcome.scored, texts)
    return Measured(metric, _with_interval(score, metric, statistics, wanted), statistics, metric.line_values(statistics))


def _with_interval(score: Score, metric: Any, statistics: Any, wanted: Any) -> Score:
    if not wanted.samples:
        return score
    options = {"samples": wanted.samples, "confidence": wanted.confidence, "seed": wanted.seed}
    found = bootstrap_interval(statistics, metric.from_statistics, **options)
    interval = {"low": found.low, "high": found.high, "confidence": found.confidence, "samples": found.samples, "seed": wanted.seed}
    return dataclasses.replace(score, interval=interval)
