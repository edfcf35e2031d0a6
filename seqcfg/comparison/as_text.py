"""A document for terminals and logs."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import click

from seqcfg.comparison.document import Block, Cell, Document, Entries, Entry, Lines, Table, shortened

STYLES: dict[str, dict[str, Any]] = {
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "strong": {"bold": True},
    "quiet": {"dim": True},
    "": {},
}
SHORT = 40  # a value of at most so many characters stands in one line with the others
LONG = 100  # longer values are cut

Styled = Callable[..., str]


def as_text(document: Document, *, colors: bool = False) -> str:
    """Plain text with two blanks before what belongs to a heading; `colors` adds those of terminals."""

    def styled(cell: Cell, text: str = "") -> str:
        return click.style(text or cell.text, **STYLES.get(cell.tone, {})) if colors and cell.tone else text or cell.text

    lines = [styled(Cell(document.title, "strong")), *(styled(cell) for cell in document.lead)]
    for section in document.sections:
        lines += ["", styled(Cell(section.title, "strong"))]
        for number, block in enumerate(section.blocks):
            lines += [""] if number else []
            lines += [f"  {line}".rstrip() for line in _block(block, styled)]
    return "\n".join(lines)


def table_text(table: Table, *, colors: bool = False) -> str:
    """One table alone."""

    def styled(cell: Cell, text: str = "") -> str:
        return click.style(text or cell.text, **STYLES[cell.tone]) if colors and cell.tone else text or cell.text

    return "\n".join(_table(table, styled))


def _block(block: Block, styled: Styled) -> Iterator[str]:
    if isinstance(block, Lines):
        yield from (styled(cell) for cell in block.lines)
    elif isinstance(block, Table):
        yield from _table(block, styled)
    elif isinstance(block, Entries):
        title = "" if block.title == "field" else f"{block.title} "
        for entry in block.entries:
            yield from _entry(entry, title, styled)


def _entry(entry: Entry, title: str, styled: Styled) -> Iterator[str]:
    values = [shortened(cell.text, LONG) for _, cell, _ in entry.values]
    mark = f"  ({entry.mark})" if entry.mark else ""
    head = styled(Cell(title + entry.head, "strong"))
    is_short = not entry.is_stacked and all(len(value) <= SHORT for value in values)
    if is_short:
        shown = " -> ".join(styled(cell, value) for (_, cell, _), value in zip(entry.values, values))
        yield f"{head}: {shown}{mark}"
    else:
        yield f"{head}:{mark}"
    if entry.doc:
        yield "    " + styled(Cell(entry.doc, "quiet"))
    width = max(len(label) for label, _, _ in entry.values)
    for (label, cell, origin), value in zip(entry.values, values):
        if is_short and not origin:
            continue
        told = styled(Cell(origin, "quiet")) if is_short else styled(cell, value) + (styled(Cell(f"  {origin}", "quiet")) if origin else "")
        yield f"    {label:{width}}  {told}"


def _table(table: Table, styled: Styled) -> Iterator[str]:
    titles = [[Cell(title, "quiet") for title in table.header]] if any(table.header) else []
    rows = [*titles, *table.rows]
    widths = [max(_width(row[column].text) for row in rows) for column in range(len(table.header))]
    for row in rows:
        cells = []
        for column, (cell, width) in enumerate(zip(row, widths)):
            blank = " " * (width - _width(cell.text))
            cells.append(blank + styled(cell) if column in table.right else styled(cell) + blank)
        yield "  ".join(cells).rstrip()
    if table.note:
        yield styled(Cell(table.note, "quiet"))


def _width(text: str) -> int:
    """Columns of a terminal: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
