"""The summary of a sweep as a table: for a terminal, and as Markdown."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.sweeps.summary import Row, Summary, names, number, shown


def header(summary: Summary) -> list[str]:
    """Titles of the columns."""
    paths = list(summary.rows[0].values) if summary.rows else []
    return [*names(paths), summary.metric, "deviation", "seeds", "to the best", "runs"]


def cells(row: Row) -> list[str]:
    """One setting under these titles."""
    found, one = row.spread, row.difference
    deviation = "" if found is None or math.isnan(found.deviation) else f"{found.deviation:.4f}"
    if one is None:
        verdict = "best" if found is not None else ""
    elif one.is_real:
        verdict = f"{one.mean:+.4f} (p {one.p:.2g})"
    else:
        verdict = "not told apart" + ("" if math.isnan(one.p) else f" (p {one.p:.2g})")
    return [
        *(shown(value) for value in row.values.values()),
        number(found),
        deviation,
        str(len(found.values) if found else 0),
        verdict,
        row.states,
    ]


def as_table(summary: Summary) -> Any:
    """A rich table, the best setting first."""
    from rich.table import Table

    share = f"{100 * summary.confidence:g} % interval of the mean"
    table = Table(
        title=f"{summary.metric} ({'higher' if summary.is_higher_better else 'lower'} is better; ± {share})", title_justify="left"
    )
    for title in header(summary):
        table.add_column(title)
    for row in summary.rows:
        table.add_row(*cells(row))
    return table


def as_markdown(summary: Summary) -> str:
    """The same for a pull request, with the verdict below."""
    titles = header(summary)
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    lines += ["| " + " | ".join(text.replace("|", "\\|") for text in cells(row)) + " |" for row in summary.rows]
    return "\n".join([*lines, "", *(f"- {line}" for line in summary.verdict)])
