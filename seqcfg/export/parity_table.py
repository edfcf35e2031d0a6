"""The table of exported models beside their run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqcfg.export.parity import Cost, Parity

COSTS: dict[str, Callable[[Cost], str]] = {
    "size, MB": lambda cost: f"{cost.bytes / 1e6:.2f}",
    "loading, s": lambda cost: f"{cost.load_seconds:.2f}",
    "one line, ms (median)": lambda cost: f"{cost.median_ms:.1f}",
    "one line, ms (slowest)": lambda cost: f"{cost.slowest_ms:.1f}",
    "one line, CPU ms (median)": lambda cost: f"{cost.cpu_ms:.1f}",
    "peak memory, MB": lambda cost: f"{cost.peak_bytes / 1e6:.0f}" if cost.peak_bytes else "-",
}


def parity_table(parities: dict[str, Parity]) -> Any:
    """A rich table: a column for the run, then one for each exported model by its label, all on the same lines."""
    from rich.table import Table

    first = next(iter(parities.values()))
    table = Table(title=f"{first.lines} lines", title_justify="left")
    for name in ("", "run", *parities):
        table.add_column(name, justify="right" if name else "left", overflow="fold")
    table.add_row("same strings", "", *(f"{one.identical / max(1, one.lines):.1%}" for one in parities.values()))
    table.add_row("scores differ by up to", "", *(f"{one.score_difference:.1e}" for one in parities.values()))
    for place, metric in enumerate(first.metrics):
        table.add_row(metric.name, f"{metric.run:.2f}", *(f"{one.metrics[place].artefact:.2f}" for one in parities.values()))
    is_timed = bool(first.costs["run"].median_ms)
    for name, shown in COSTS.items():
        if is_timed or name.startswith("size"):
            table.add_row(name, shown(first.costs["run"]), *(shown(one.costs["artefact"]) for one in parities.values()))
    return table
