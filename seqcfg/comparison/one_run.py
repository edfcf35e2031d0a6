"""One run as a page: state, recipe, curve, evaluations, machine, size, labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqcfg.checkpoints.read import find
from seqcfg.comparison.consequences import figures
from seqcfg.comparison.document import Block, Cell, Document, Lines, Section, Table
from seqcfg.comparison.figures import duration, in_words, number
from seqcfg.comparison.outcome import evaluations, is_higher_better
from seqcfg.comparison.sides import Side, open_side
from seqcfg.plan.memory import in_units
from seqcfg.recipe.write import to_yaml
from seqcfg.runs.catalogue import Listed, look_at
from seqcfg.runs.removal import size_of
from seqcfg.training.roll_back import history_of

BARS = "▁▂▃▄▅▆▇█"
CURVE = 60  # columns of a curve


def document(folder: Path) -> Document:
    """Everything there is to say of a run; for a folder that is no whole run, what is wrong with it."""
    row = look_at(folder)
    if not row.is_whole:
        return Document(str(folder), [Cell(f"{row.status}: {row.problem}", "bad")], [])
    side = open_side(str(folder))
    lead = [Cell(f"{row.name}, {row.status} at step {row.step:,} of {row.steps:,}", "strong")]
    lead += [Cell(f"tags: {' '.join(row.labels.tags)}")] if row.labels.tags else []
    lead += [Cell(f"note: {row.labels.note}")] if row.labels.note else []
    lead += [Cell("archived", "quiet")] if row.labels.is_archived else []
    sections = [
        Section("recipe, without what stands at its default", [Lines([Cell(line) for line in _recipe(side)])]),
        Section("size", [_pairs([(name, in_words(value, unit)) for name, unit, value in figures(side.experiment)])]),
        *_curves(side),
        *_evaluations(side),
        *_rollbacks(folder),
        *_attempts(side, row),
        _disk(folder),
    ]
    return Document(str(folder), lead, sections)


def _recipe(side: Side) -> list[str]:
    return to_yaml(side.experiment.only_changed()).rstrip().split("\n")


def _pairs(pairs: list[tuple[str, str]]) -> Table:
    return Table(["", ""], [[Cell(name), Cell(value)] for name, value in pairs], frozenset({1}))


def _curves(side: Side) -> list[Section]:
    history = side.history
    if history is None or not history.points:
        return []
    rows = []
    for name in history.points[-1].metrics:
        higher = is_higher_better([side], name)
        values = [point.metrics[name] for point in history.points if name in point.metrics]
        best = history.best(name, higher)
        told = f"{number(best.metrics[name])} at {best.step:,}" if best is not None else "none"
        rows.append([Cell(name), Cell(told, "good"), Cell(number(values[-1])), Cell(curve(values))])
    last = history.points[-1].step
    return [Section("validation", [Table(["", "best", f"at {last:,}", "curve"], rows, frozenset({1, 2}))])]


def curve(values: list[float], columns: int = CURVE) -> str:
    """A line of bars from the smallest to the largest finite value; a blank where there is none. Long curves are thinned out."""
    step = max(1, -(-len(values) // columns))
    shown = values[step - 1 :: step]
    finite = [value for value in shown if abs(value) != float("inf") and value == value]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((value - low) * scale)] if value in finite else " " for value in shown)


def _evaluations(side: Side) -> list[Section]:
    rows = []
    for one in evaluations(side):
        for name, score in one.scores.items():
            interval = score.get("interval") or {}
            bounds = f"[{interval['low']:.2f}, {interval['high']:.2f}]" if {"low", "high"} <= interval.keys() else ""
            value = "none" if score.get("value") is None else number(score["value"])
            rows.append([Cell(f"{one.split}, {one.checkpoint}"), Cell(name), Cell(value), Cell(bounds)])
    return [Section("evaluations", [Table(["", "metric", "value", "95 %"], rows, frozenset({2}))])] if rows else []


def _attempts(side: Side, row: Listed) -> list[Section]:
    attempts = list(side.manifest.attempts) if side.manifest is not None else []
    if not attempts:
        return []
    rows = [
        [
            Cell(one.started[:19].replace("T", " ")),
            Cell(one.outcome or ("running" if row.status == "running" and one is attempts[-1] else "killed")),
            Cell(f"{one.first_step:,} to {one.last_step:,}" if one.outcome else f"{one.first_step:,} on"),
            Cell(" ".join(one.command)),
        ]
        for one in attempts
    ]
    last: Any = attempts[-1]
    versions = ", ".join(f"{name} {last.versions[name]}" for name in sorted(last.versions))
    machine = f"{last.machine.platform}, {last.machine.cores} cores, {last.machine.processor}, {in_units(last.machine.memory_bytes)}"
    commit = f"seqcfg at commit {last.git_commit[:12]}{', modified' if last.git_modified else ''}" if last.git_commit else ""
    told = [Cell(line) for line in (machine, versions, commit, f"{duration(row.seconds)} in all" if row.seconds else "") if line]
    blocks: list[Block] = [Table(["started (UTC)", "ended", "steps", "command"], rows), Lines(told)]
    return [Section("attempts", blocks)]


def _rollbacks(folder: Path) -> list[Section]:
    history = history_of(folder / "checkpoints")
    return [Section("gone back", [Lines([Cell(str(one)) for one in history])])] if history else []


def _disk(folder: Path) -> Section:
    steps = [f"{info.step:,}" for info in find(folder / "checkpoints")]
    told = [("all files", in_units(size_of(folder))), ("checkpoints", in_units(size_of(folder / "checkpoints")) if steps else "none")]
    return Section("on disk", [_pairs(told), *([Lines([Cell(f"checkpoints of steps {', '.join(steps)}")])] if steps else [])])
