"""The parts of a report that are text and tables, common to all its forms."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.comparison import shown
from seqcfg.comparison.consequences import figures
from seqcfg.comparison.document import Block, Cell, Lines, Section, Table, shortened
from seqcfg.comparison.figures import in_words, number
from seqcfg.comparison.outcome import state
from seqcfg.comparison.sides import Side
from seqcfg.reporting.data_statistics import SplitStatistics
from seqcfg.reporting.recipe_view import settings_of
from seqcfg.reporting.report import Report
from seqcfg.reporting.samples import samples
from seqcfg.runs.evaluations import StoredEvaluation
from seqcfg.sweeps.table import cells, header

LINE = 160  # characters of a text that Markdown shows


def summary(report: Report) -> Section:
    """One row per run: how far it came, what it reached, what it cost."""
    metrics = list(dict.fromkeys(name for stored in report.evaluations for one in stored for name in _scores(one)))[:6]
    rows = [_summary_row(side, stored, metrics) for side, stored in zip(report.sides, report.evaluations, strict=True)]
    titles = ["run", "state", "best validation", *metrics, "parameters", "training time", "tokens per second"]
    return Section("summary", [Table(titles, rows, frozenset(range(3, len(titles))))])


def _summary_row(side: Side, stored: list[StoredEvaluation], metrics: list[str]) -> list[Cell]:
    evaluation: Any = side.experiment.recipe.evaluation
    history = side.history
    assert history is not None
    best = history.best(evaluation.best.metric, evaluation.best.goal == "maximize")
    reached = f"{evaluation.best.metric} {number(best.metrics[evaluation.best.metric])} at {best.step:,}" if best is not None else "none"
    values = {name: value for one in stored for name, value in _scores(one).items()}  # the newest last
    parameters = next(value for name, _, value in figures(side.experiment) if name == "parameters")
    return [
        Cell(side.label, "strong"),
        Cell(state(side)),
        Cell(reached),
        *(Cell(number(value) if (value := values.get(name)) is not None else "") for name in metrics),
        Cell(f"{parameters:,.0f}"),
        Cell(in_words(history.seconds, "seconds") if history.step else ""),
        Cell(in_words(history.tokens_per_second, "") if history.step else ""),
    ]


def _scores(one: StoredEvaluation) -> dict[str, float | None]:
    return {f"{score['name']} on {one.split}": score["value"] for score in one.summary["metrics"]}


def verdict(report: Report) -> Section:
    """Whether the runs can be compared, and what was found; empty for a single run."""
    lead = shown.document(report.comparison).lead if report.comparison is not None else []
    return Section("are they comparable?", [Lines(lead)] if lead else [])


def differences(report: Report) -> list[Section]:
    """What seqcfg diff shows; empty for a single run."""
    return shown.document(report.comparison).sections if report.comparison is not None else []


def sweep(report: Report) -> Section:
    """The settings of a sweep, best first, and what of it is more than noise."""
    found = report.sweep
    if found is None:
        return Section("sweep", [])
    rows = [[Cell(text) for text in cells(row)] for row in found.rows]
    share = f"±: {100 * found.confidence:g} % interval of the mean over seeds"
    return Section("sweep", [Table(header(found), rows, frozenset(), share), Lines([Cell(line, "strong") for line in found.verdict])])


def claims(report: Report) -> Section:
    """What the recipes claim, and what was measured."""
    rows = []
    for side, outcome, claim in report.claims:
        measured = "not evaluated" if outcome.measured is None else number(outcome.measured)
        tone: Any = "quiet" if outcome.measured is None else "good" if outcome.holds else "bad"
        word = "open" if outcome.measured is None else "holds" if outcome.holds else "missed"
        claimed = f"{outcome.claimed:g}" + (f" (tolerance {outcome.tolerance:g})" if outcome.tolerance else "")
        rows.append(
            [
                Cell(side.label),
                Cell(f"{outcome.metric} on {outcome.split}"),
                Cell(claimed),
                Cell(measured),
                Cell(word, tone),
                Cell(claim.published),
                Cell(claim.source),
            ]
        )
    titles = ["run", "claim", "claimed", "measured", "", "published", "source of the claim"]
    return Section("claims", [Table(titles, rows, frozenset({2, 3}))] if rows else [])


def results(report: Report) -> Section:
    """Every stored evaluation with intervals and signatures."""
    rows = []
    for side, stored in zip(report.sides, report.evaluations, strict=True):
        for one in stored:
            for score in one.summary["metrics"]:
                rows.append(_result(side, one, score))
    titles = ["run", "split", "checkpoint", "metric", "value", "interval", "signature"]
    return Section("evaluations", [Table(titles, rows, frozenset({4}))] if rows else [])


def _result(side: Side, one: StoredEvaluation, score: dict[str, Any]) -> list[Cell]:
    interval = score.get("interval") or {}
    bounds = f"{interval['low']:.2f} to {interval['high']:.2f} ({100 * interval['confidence']:g} %)" if interval else ""
    value = "infinite" if score["value"] is None or not math.isfinite(score["value"]) else number(score["value"])
    texts = (side.label, one.split, one.checkpoint, score["name"])
    return [*map(Cell, texts), Cell(value, "strong"), Cell(bounds), Cell(score.get("signature", ""), "quiet")]


def data(report: Report) -> Section:
    """Splits of the prepared data, then what of the data can be told of each run."""
    blocks: list[Block] = [_splits(fingerprint, splits) for fingerprint, splits in report.data.items()]
    if not blocks:
        blocks.append(Lines([Cell("the prepared data is not in the cache; --cache-root names another", "quiet")]))
    facts = [fact for fact in report.data_facts if any(fact.values)]
    labels = [side.label for side in report.sides]
    blocks.append(Table(["", *labels], [[Cell(fact.name), *map(Cell, fact.values)] for fact in facts]))
    return Section("data", blocks)


def _splits(fingerprint: str, splits: list[SplitStatistics]) -> Table:
    rows = []
    for split in splits:
        for number_, one in enumerate(split.lengths):
            head = [split.name, f"{split.examples:,}", f"{split.dropped:,}"] if number_ == 0 else ["", "", ""]
            rows.append([*head, one.feature, one.unit, f"{one.total:,}", f"{one.mean:.1f}", f"{one.median:g}", f"{one.longest:,}"])
        if not split.lengths:
            rows.append([split.name, f"{split.examples:,}", f"{split.dropped:,}", "", "", "", "", "", ""])
    titles = ["split", "examples", "dropped", "feature", "unit", "in all", "mean", "median", "longest"]
    return Table(titles, [list(map(Cell, row)) for row in rows], frozenset({1, 2, 5, 6, 7, 8}), f"prepared data {fingerprint[:12]}")


def environment(report: Report) -> Section:
    """Packages, hardware, commit and commands of every run."""
    labels = [side.label for side in report.sides]
    rows = [[Cell(fact.name), *(Cell(value, "strong" if fact.differs else "") for value in fact.values)] for fact in report.environment]
    seeds = [
        ", ".join(f"{name} {value}" for name, value in sorted(side.manifest.seeds.items())) if side.manifest else ""
        for side in report.sides
    ]
    commands = [" ".join(side.manifest.attempts[-1].command) if side.manifest and side.manifest.attempts else "" for side in report.sides]
    rows += [[Cell("seeds"), *map(Cell, seeds)], [Cell("command"), *map(Cell, commands)]]
    return Section("environment", [Table(["", *labels], rows)])


def settings(report: Report) -> Section:
    """For Markdown: what each recipe sets to something else than its default; the runs' differences stand in their own sections."""
    rows = [[Cell(path), Cell(value), Cell(default, "quiet")] for path, value, default in settings_of(report.sides[0])]
    name = f"settings that are not the default ({report.sides[0].label})"
    return Section(name, [Table(["field", "value", "default"], rows)] if rows else [])


def sample_section(report: Report, count: int) -> Section:
    """For Markdown: outputs on the same lines."""
    labels = [side.label for side in report.sides]
    blocks: list[Block] = []
    for split, found in samples(report.evaluations, count).items():
        rows = []
        for one in found:
            texts = [one.source, one.reference, *(text if text is not None else "" for text in one.outputs)]
            rows.append([Cell(str(one.number)), *(Cell(shortened(text, LINE)) for text in texts)])
        blocks.append(Table(["line", f"source ({split})", "reference", *labels], rows, frozenset({0})))
    return Section("samples", blocks)
