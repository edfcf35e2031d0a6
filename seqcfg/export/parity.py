"""Parity: how an exported model compares with its run, and what either costs."""

from __future__ import annotations

import dataclasses
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from seqcfg.export.probe import Probed
from seqcfg.export.sample import Sample
from seqcfg.export.tolerance import Tolerance
from seqcfg.metrics.text_metric import TextMetric

SHOWN = 20  # differing lines that a report lists


class Difference(NamedTuple):
    """A line, numbered from 1, on which run and artefact disagree."""

    line: int
    source: str
    run: str
    artefact: str


class Cost(NamedTuple):
    """bytes on disk; seconds to load; milliseconds for single lines, median and slowest; peak memory in bytes; 0 for unknown.

    cpu_ms: the median of what all threads spent on such a line, which other work on the machine changes least.
    """

    bytes: int
    load_seconds: float = 0.0
    median_ms: float = 0.0
    slowest_ms: float = 0.0
    peak_bytes: int = 0
    cpu_ms: float = 0.0


class Compared(NamedTuple):
    """A metric of both on the sample."""

    name: str
    run: float
    artefact: float
    loss: float  # how much worse the artefact is, in the metric's unit; negative where it is better


@dataclasses.dataclass(frozen=True)
class Parity:
    """lines compared, those that differ, the largest difference of a score where strings are equal, metrics, costs by side.

    problems: what is beyond the tolerance, one sentence each.
    """

    lines: int
    differences: list[Difference]
    score_difference: float
    metrics: list[Compared]
    costs: dict[str, Cost]
    problems: list[str]

    @property
    def identical(self) -> int:
        return self.lines - len(self.differences)

    def as_json(self, about: dict[str, Any]) -> dict[str, Any]:
        """What parity.json holds."""
        return {
            **about,
            "lines": self.lines,
            "identical": self.identical,
            "score_difference": self.score_difference,
            "metrics": [one._asdict() for one in self.metrics],
            "costs": {side: cost._asdict() for side, cost in self.costs.items()},
            "problems": self.problems,
            "differences": [one._asdict() for one in self.differences[:SHOWN]],
        }


def compare(sample: Sample, run: Probed, artefact: Probed, sizes: tuple[int, int], tolerance: Tolerance, metrics: list[Any]) -> Parity:
    """The comparison of what both gave for the sample; sizes in bytes of checkpoint and artefact."""
    found = differences(sample.shown, run.texts, artefact.texts)
    both = zip(run.texts, artefact.texts, run.scores, artefact.scores, strict=True)
    scores = max((abs(mine - theirs) for text, other, mine, theirs in both if text == other), default=0.0)
    compared = _compared(sample, run.texts, artefact.texts, metrics)
    costs = {"run": cost_of(sizes[0], run), "artefact": cost_of(sizes[1], artefact)}
    problems = _beyond(tolerance, len(sample.lines), len(found), scores, compared)
    return Parity(len(sample.lines), found, scores, compared, costs, problems)


def differences(lines: list[str], run: list[str], artefact: list[str]) -> list[Difference]:
    """Where two lists of outputs differ."""
    triples = enumerate(zip(lines, run, artefact, strict=True), 1)
    return [Difference(number, source, ours, theirs) for number, (source, ours, theirs) in triples if ours != theirs]


def size_of(place: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    return place.stat().st_size if place.is_file() else sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def _compared(sample: Sample, run: list[str], artefact: list[str], metrics: list[Any]) -> list[Compared]:
    """Metrics that need nothing but one text per line and its references."""
    found = []
    for metric in metrics if sample.references else []:
        if isinstance(metric, TextMetric) and metric.needs == "strings" and metric.num_candidates == 1:
            first, second = (metric.compute(texts, sample.references) for texts in (run, artefact))
            sign = 1.0 if first.better == "higher" else -1.0
            found.append(Compared(first.name, first.value, second.value, sign * (first.value - second.value)))
    return found


def cost_of(size: int, probed: Probed) -> Cost:
    """What a model of so many bytes cost in its process."""
    if not probed.seconds:
        return Cost(size)
    milliseconds = [1e3 * one for one in probed.seconds]
    cpu_ms = 1e3 * statistics.median(probed.cpu_seconds)
    return Cost(size, probed.load_seconds, statistics.median(milliseconds), max(milliseconds), probed.peak_bytes, cpu_ms)


def _beyond(tolerance: Tolerance, lines: int, differing: int, scores: float, metrics: list[Compared]) -> list[str]:
    problems = []
    if differing > (1 - tolerance.identical_share) * lines + 1e-9:
        bound = f"{tolerance.identical_share:.1%} must be the same" if tolerance.identical_share < 1 else "none may"
        problems.append(f"the exported model differs from the run on {differing} of {lines} lines, and {bound}")
    if not scores <= tolerance.score_difference:  # NaN, too
        problems.append(f"scores of equal outputs differ by {scores:.2g}, and {tolerance.score_difference:g} is allowed")
    for one in metrics[:1]:
        if not one.loss <= tolerance.metric_loss:
            problems.append(f"{one.name} is {one.artefact:.2f} instead of {one.run:.2f}, and may be worse by {tolerance.metric_loss:g}")
    return problems
