"""The table of runs: for eyes, for spreadsheets and for data frames."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

from seqcfg.comparison.document import Cell, Table, Tone, shortened
from seqcfg.comparison.figures import duration, number
from seqcfg.runs import query
from seqcfg.runs.catalogue import BROKEN, Listed

TONES: dict[str, Tone] = {"finished": "good", "failed": "bad", "killed": "bad", "running": "strong"} | dict.fromkeys(BROKEN, "bad")  # type: ignore[assignment]
NOTE = 50  # characters of a note or a problem that are shown


def document(runs: list[Listed], extra: list[str]) -> Table:
    """One row for each run; columns that no run fills are left out."""
    metrics = list(dict.fromkeys(name for run in runs for name in run.metrics))
    more = [*metrics, *(column for column in extra if column not in metrics)]
    header = ["run", "status", "step", "started", "time", "went back", "best", *more, "tags", "note"]
    rows = [_row(run, header) for run in runs]
    used = [number for number in range(len(header)) if number < 3 or any(row[number].text for row in rows)]
    right = {"step", "time", "went back", *metrics}
    return Table(
        [header[number] for number in used],
        [[row[number] for number in used] for row in rows],
        frozenset(place for place, number in enumerate(used) if header[number] in right),
    )


def _row(run: Listed, header: list[str]) -> list[Cell]:
    told = {
        "run": Cell(str(run.folder)),
        "status": Cell(run.status, TONES.get(run.status, "")),
        "went back": Cell(str(run.rollbacks) if run.rollbacks else ""),
        "step": Cell(f"{run.step:,} of {run.steps:,}" if run.is_whole else ""),
        "started": Cell(run.started[:16].replace("T", " ")),
        "time": Cell(duration(run.seconds) if run.seconds else ""),
        "best": Cell(_best(run)),
        "tags": Cell(" ".join(run.labels.tags)),
        "note": Cell(shortened(run.problem or run.labels.note, NOTE), "bad" if run.problem else ""),
    }
    return [told[name] if name in told else _value(query.value_of(run, name)) for name in header]


def _best(run: Listed) -> str:
    return "" if run.best is None or run.best_step is None else f"{run.best_metric} {number(run.best)} at {run.best_step:,}"


def _value(value: Any) -> Cell:
    if isinstance(value, list | tuple):
        return Cell(shortened(", ".join(map(str, value)), NOTE))
    return Cell("" if value is None else number(value) if isinstance(value, float) else shortened(str(value), NOTE))


def as_csv(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """RFC 4180 with a header, as pandas.read_csv reads it; what a run does not have is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def records(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows for pandas.read_json: numbers that JSON has not become null."""
    return [{name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()} for row in rows]
