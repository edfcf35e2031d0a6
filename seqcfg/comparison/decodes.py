"""Decodes: stored outputs of runs on the same lines, metric by metric, with what chance alone would explain."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.comparison.outcome import evaluations
from seqcfg.comparison.pairing import choose, lines, pairing_obstacle, unlike_decoding
from seqcfg.comparison.sides import Side
from seqcfg.errors import UserError
from seqcfg.metrics.significance import Interval, PairedTest, bootstrap_interval, paired_bootstrap, paired_randomization
from seqcfg.runs.evaluations import SENTENCES, STATISTICS, StoredEvaluation
from seqcfg.runs.history import is_number

EXAMPLES = 3  # lines shown of those that gained or lost most


@dataclasses.dataclass(frozen=True)
class Line:
    """One line that two sides answered with different success; values are the metric's, of this line alone."""

    number: int
    source: str
    reference: str
    outputs: tuple[str, str]
    values: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Against:
    """One side held against the first: whole corpus by two tests, then line by line."""

    side: int
    bootstrap: PairedTest
    randomization: PairedTest
    wins: int
    losses: int
    ties: int
    gained: tuple[Line, ...]
    lost: tuple[Line, ...]

    @property
    def is_significant(self) -> bool:
        """Whether chance explains so large a difference in fewer than one of 20 cases, by approximate randomisation."""
        return self.randomization.is_significant()


@dataclasses.dataclass(frozen=True)
class Measured:
    """One metric on one split, computed anew from the stored texts by one and the same metric.

    intervals  by side, None where it stored no decodes
    against    the other sides against the first that stored some
    """

    split: str
    metric: str
    is_higher_better: bool
    labels: tuple[str, ...]
    intervals: tuple[Interval | None, ...]
    against: list[Against]


@dataclasses.dataclass(frozen=True)
class Scores:
    """Stored values that cannot be computed anew, or of one side alone: a row of evaluations/*/metrics.json."""

    split: str
    metric: str
    is_higher_better: bool
    labels: tuple[str, ...]
    values: tuple[float | None, ...]
    signatures: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Decodes:
    """measured: with intervals and tests; scores: stored values alone; obstacles: why splits could not be paired."""

    measured: list[Measured]
    scores: list[Scores]
    obstacles: list[str]
    seconds_per_line: tuple[float | None, ...] = ()
    cautions: tuple[str, ...] = ()  # differences in how outputs were searched for


def decodes(sides: list[Side]) -> Decodes:
    """Every split that runs were evaluated on; of several evaluations of a split those of the same checkpoint, else the newest."""
    told = [evaluations(side) for side in sides]
    splits = dict.fromkeys(one.split for found in told for one in found)
    measured: list[Measured] = []
    scores: list[Scores] = []
    obstacles: list[str] = []
    cautions: list[str] = []
    seconds: tuple[float | None, ...] = tuple(None for _ in sides)
    for split in splits:
        chosen = choose([[one for one in found if one.split == split] for found in told])
        seconds = tuple(_seconds(one) for one in chosen)
        cautions += filter(None, [unlike_decoding(split, sides, chosen)])
        obstacle = pairing_obstacle(split, sides, chosen)
        if obstacle:
            obstacles.append(obstacle)
        metrics = [] if obstacle else additive_metrics(sides)
        measured += [one for metric in metrics if (one := _measure(split, metric, chosen)) is not None]
        done = {one.metric for one in measured if one.split == split}
        scores += _stored(split, chosen, done)
    return Decodes(measured, scores, obstacles, seconds, tuple(cautions))


def additive_metrics(sides: list[Side]) -> list[Any]:
    """Metrics of text that any side's recipe names and that sums over lines fix; one for each label."""
    found: dict[str, Any] = {}
    for side in sides:
        for metric in getattr(side.experiment.recipe.evaluation, "metrics", []):
            if hasattr(metric, "statistics") and hasattr(metric, "from_statistics"):
                found.setdefault(metric.label, metric)
    return list(found.values())


def _measure(split: str, metric: Any, chosen: list[StoredEvaluation | None]) -> Measured | None:
    statistics = _statistics(metric, chosen)
    if not any(one is not None for one in statistics):
        return None
    intervals = tuple(bootstrap_interval(one, metric.from_statistics) if one is not None else None for one in statistics)
    higher = metric.better == "higher"
    first = next(number for number, one in enumerate(statistics) if one is not None)
    against = [
        _against(number, metric, (chosen[first], chosen[number]), (statistics[first], one), higher)
        for number, one in enumerate(statistics)
        if one is not None and number != first
    ]
    return Measured(split, metric.label, higher, tuple(one.checkpoint if one is not None else "" for one in chosen), intervals, against)


def _statistics(metric: Any, chosen: list[StoredEvaluation | None]) -> list[Any]:
    """[lines, numbers] for each side, as stored where all were measured in the same way, else computed anew from the texts."""
    told = [one for one in chosen if one is not None]
    signatures = {str(one.scores.get(metric.label, {}).get("signature", one.folder)) for one in told}
    if len(signatures) == 1 and all((one.folder / STATISTICS).is_file() for one in told):
        tables = [one.statistics() if one is not None else {} for one in chosen]
        if all(metric.label in table for table, one in zip(tables, chosen) if one is not None):
            return [table.get(metric.label) for table in tables]
    if metric.needs != "strings" or getattr(metric, "num_candidates", 1) != 1:
        return [None for _ in chosen]
    return [_computed(metric, one) if one is not None else None for one in chosen]


def _computed(metric: Any, evaluation: StoredEvaluation) -> Any:
    hypotheses = lines(evaluation, "hypotheses")
    if not hypotheses:
        return None
    if (evaluation.folder / SENTENCES).is_file():  # all references of a line, where there are several
        references = [list(sentence["references"]) for sentence in evaluation.sentences()]
    else:
        references = [[text] for text in lines(evaluation, "references")]
    if len(references) != len(hypotheses):
        message = f"{evaluation.folder}: {len(hypotheses)} outputs and {len(references)} references"
        raise UserError(message, hint="evaluate the run again: the files were changed")
    return metric.statistics(hypotheses, references)


def _against(number: int, metric: Any, pair: tuple[Any, Any], statistics: tuple[Any, Any], is_higher_better: bool) -> Against:
    score = metric.from_statistics
    values = getattr(metric, "line_values", lambda rows: [float(score(row)) for row in rows])
    scores = [values(one) for one in statistics]
    gains = [(after - before) * (1 if is_higher_better else -1) for before, after in zip(*scores)]
    order = sorted(range(len(gains)), key=lambda line: (-gains[line], line))
    gained = tuple(_line(line, pair, scores) for line in order[:EXAMPLES] if gains[line] > 0)
    lost = tuple(_line(line, pair, scores) for line in order[: -EXAMPLES - 1 : -1] if gains[line] < 0)
    wins, losses = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    tests = paired_bootstrap(*statistics, score), paired_randomization(*statistics, score)
    return Against(number, *tests, wins, losses, len(gains) - wins - losses, gained, lost)


def _line(index: int, pair: tuple[Any, Any], scores: list[list[float]]) -> Line:
    first, second = pair
    outputs = _at(lines(first, "hypotheses"), index), _at(lines(second, "hypotheses"), index)
    texts = _at(lines(first, "sources"), index), _at(lines(first, "references"), index)
    return Line(index + 1, *texts, outputs, (scores[0][index], scores[1][index]))


def _at(texts: list[str], index: int) -> str:
    """The text of a line; empty where none are stored, as where references alone were looked at."""
    return texts[index] if texts else ""


def _stored(split: str, chosen: list[StoredEvaluation | None], done: set[str]) -> list[Scores]:
    tables = [_losses(one) | one.scores if one is not None else {} for one in chosen]
    names = [name for name in dict.fromkeys(name for table in tables for name in table) if name not in done]
    labels = tuple(one.checkpoint if one is not None else "" for one in chosen)
    return [
        Scores(
            split,
            name,
            next(table[name] for table in tables if name in table).get("better", "higher") == "higher",
            labels,
            tuple(table[name]["value"] if name in table else None for table in tables),
            tuple(table[name].get("signature", "") if name in table else "" for table in tables),
        )
        for name in names
    ]


def _losses(evaluation: StoredEvaluation) -> dict[str, dict[str, Any]]:
    """Means of the losses over the split, in the form of scores."""
    losses = evaluation.summary.get("losses") or {}
    told = {"signature": "mean per weighted token", "better": "lower"}
    return {name: {"name": name, "value": value, **told} for name, value in losses.items() if is_number(value)}


def _seconds(evaluation: StoredEvaluation | None) -> float | None:
    if evaluation is None or not evaluation.summary.get("lines"):
        return None
    return evaluation.summary.get("seconds_decoding", 0.0) / evaluation.summary["lines"]
