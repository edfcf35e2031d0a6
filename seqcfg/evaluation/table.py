"""The table of scores that `seqcfg evaluate` prints."""

from __future__ import annotations

from typing import Any

from seqcfg.evaluation.corpus import Evaluated
from seqcfg.metrics.score import Score


def score_table(evaluated: Evaluated) -> Any:
    """A rich table: one row per metric, with what must be equal before values are compared."""
    from rich.table import Table

    table = Table(title=f"{evaluated.split}, {evaluated.label}", title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    if any(score.interval for score in evaluated.scores):
        table.add_column("interval", justify="right")
    table.add_column("signature", overflow="fold")
    for score in evaluated.scores:
        table.add_row(score.name, f"{score.value:.2f}", *([interval_text(score)] if len(table.columns) == 4 else []), score.signature)
    for name, value in evaluated.losses.items():
        if name not in {score.name for score in evaluated.scores}:
            unit = "nats per token" if name in ("loss", "nll") else ""
            table.add_row(name, f"{value:.4f}", *([""] if len(table.columns) == 4 else []), unit)
    return table


def interval_text(score: Score) -> str:
    """The bounds of a score, with their confidence; empty where there are none."""
    if not score.interval:
        return ""
    return f"{score.interval['low']:.2f} to {score.interval['high']:.2f} ({score.interval['confidence']:.0%})"
