"""A document for pull requests."""

from __future__ import annotations

import re
from collections.abc import Iterator

from seqcfg.comparison.document import Block, Cell, Document, Entries, Lines, Table, shortened

LONG = 160


def as_markdown(document: Document) -> str:
    """GitHub's Markdown: tables throughout; whatever a recipe says is shown as it is and never taken as markup."""
    lines = [f"## {_plain(document.title)}", "", *(f"- {_cell(cell)}" for cell in document.lead)]
    for section in document.sections:
        lines += ["", f"### {_plain(section.title[:1].upper() + section.title[1:])}", ""]
        for number, block in enumerate(section.blocks):
            lines += [*([""] if number else []), *_block(block)]
    return "\n".join(lines)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Lines):
        yield from (f"- {_cell(cell)}" for cell in block.lines)
    elif isinstance(block, Table):
        yield from _rows(block.header, [[_cell(cell) for cell in row] for row in block.rows], block.right)
        if block.note:
            yield from ("", _plain(block.note))
    elif isinstance(block, Entries):
        labels = [label for label, _, _ in block.entries[0].values]
        rows = []
        for entry in block.entries:
            meaning = [_plain(" ".join(filter(None, (entry.mark, entry.doc))))] if block.has_meaning else []
            rows.append([f"`{entry.head}`", *(_value(cell, origin) for _, cell, origin in entry.values), *meaning])
        yield from _rows([block.title, *labels, *(["meaning"] if block.has_meaning else [])], rows, frozenset())


def table_lines(table: Table) -> list[str]:
    """One table alone."""
    return list(_block(table))


def _rows(header: list[str], rows: list[list[str]], right: frozenset[int]) -> Iterator[str]:
    yield "| " + " | ".join(map(_plain, header)) + " |"
    yield "|" + "|".join("---:" if column in right else "---" for column in range(len(header))) + "|"
    yield from ("| " + " | ".join(row) + " |" for row in rows)


def _value(cell: Cell, origin: str) -> str:
    return _cell(Cell(shortened(cell.text, LONG), cell.tone)) + (f"<br><sub>{_plain(origin)}</sub>" if origin else "")


def _cell(cell: Cell) -> str:
    text = _plain(cell.text)
    return f"**{text}**" if cell.tone in ("good", "bad", "strong") and text.strip() else text


def _plain(text: str) -> str:
    """Text that Markdown shows as it is; an underscore inside a word is none of its marks."""
    text = " ".join(text.split()).replace("\\", "\\\\").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"[`*{}\[\]|#~]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)
