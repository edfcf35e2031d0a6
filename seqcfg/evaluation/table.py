"""The table of scores that `seqcfg evaluate` prints."""

from __future__ import annotations

from typing import Any

from seqcfg.evaluation.corpus import Evaluated


def score_table(evaluated: Evaluated) -> Any:
    """A rich table: one row per metric, with what must be equal before values are compared."""
    from rich.table import Table

    table = Table(title=f"{evaluated.split}, {evaluated.label}", title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("signature", overflow="fold")
    for score in evaluated.scores:
        table.add_row(score.name, f"{score.value:.2f}", score.signature)
    for name, value in evaluated.losses.items():
        if name not in {score.name for score in evaluated.scores}:
            table.add_row(name, f"{value:.4f}", "nats per token" if name in ("loss", "nll") else "")
    return table
