"""A document as one HTML file without anything from elsewhere; light, dark and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from seqcfg.comparison.document import Block, Cell, Document, Entries, Lines, Section, Table

STYLE = """
:root { color-scheme: light dark; --text: #1c2024; --quiet: #5f6b76; --line: #d9dee3; --back: #fff; --band: #f4f6f8;
        --good: #0b7a3b; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ec; --quiet: #9aa6b2; --line: #3a424a; --back: #15181b; --band: #1e2327;
        --good: #5fd08f; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 75rem; color: var(--text); background: var(--back);
       font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 1px solid var(--line); }
ul { padding-left: 1.2rem; } .wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 500; } tbody tr:nth-child(even) { background: var(--band); }
.right { text-align: right; white-space: nowrap; } code { font: .92em ui-monospace, monospace; }
.quiet, small, .note { color: var(--quiet); } .good { color: var(--good); } .bad { color: var(--bad); } .strong { font-weight: 600; }
small { display: block; }
@media screen and (max-width: 46rem) { .stacks thead { display: none; } .stacks table, .stacks tbody, .stacks tr { display: block; }
       .stacks tr { border-bottom: 2px solid var(--line); padding: .3rem 0; }
       .stacks td { display: block; border: 0; padding: .1rem .4rem; }
       .stacks td:empty { display: none; } .stacks td.right { text-align: left; }
       .stacks td::before { content: attr(data-label) "  "; color: var(--quiet); font-size: .85em; } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } .wide { overflow: visible; } tr { break-inside: avoid; } }
"""


def as_html(document: Document) -> str:
    """The whole page. Nothing in it is fetched, and no text of a recipe or an output becomes markup."""
    body = [f"<h1>{escape(document.title)}</h1>", _list(document.lead)]
    for section in document.sections:
        body += [f"<h2>{escape(section.title)}</h2>", blocks_html(section)]
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(document.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n'
    )
    return head + "\n".join(body) + "\n</body>\n</html>\n"


def blocks_html(section: Section) -> str:
    """What stands below the heading of a section."""
    return "\n".join(part for block in section.blocks for part in _block(block))


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Lines):
        yield _list(block.lines)
    elif isinstance(block, Table):
        yield _table(block.header, [[_cell(cell) for cell in row] for row in block.rows], block.right)
        if block.note:
            yield f'<p class="note">{escape(block.note)}</p>'
    elif isinstance(block, Entries):
        labels = [label for label, _, _ in block.entries[0].values]
        rows = [
            [
                f"<code>{escape(entry.head)}</code>",
                *(f"<code>{_cell(cell)}</code><small>{escape(origin)}</small>" for _, cell, origin in entry.values),
                *([escape(" ".join(filter(None, (entry.mark, entry.doc))))] if block.has_meaning else []),
            ]
            for entry in block.entries
        ]
        yield _table([block.title, *labels, *(["meaning"] if block.has_meaning else [])], rows, frozenset())


def _list(cells: list[Cell]) -> str:
    return "<ul>" + "".join(f"<li>{_cell(cell)}</li>" for cell in cells) + "</ul>" if cells else ""


def _table(header: list[str], rows: list[list[str]], right: frozenset[int]) -> str:
    def mark(column: int) -> str:
        return ' class="right"' if column in right else ""

    titles = "".join(f"<th{mark(column)}>{escape(title)}</th>" for column, title in enumerate(header))
    labels = [f' data-label="{escape(title)}"' for title in header]
    cells = [[f"<td{mark(column)}{labels[column]}>{cell}</td>" for column, cell in enumerate(row)] for row in rows]
    body = "".join(f"<tr>{''.join(row)}</tr>\n" for row in cells)
    return f'<div class="wide stacks"><table><thead><tr>{titles}</tr></thead><tbody>\n{body}</tbody></table></div>'


def _cell(cell: Cell) -> str:
    return f'<span class="{cell.tone}">{escape(cell.text)}</span>' if cell.tone else escape(cell.text)
