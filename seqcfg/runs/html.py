"""Pieces of self-contained HTML pages: frame and style, tables that sort, bar charts. Nothing is fetched, no library is used."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
STYLE = """
:root { color-scheme: light dark; --text: #1d2430; --soft: #5b6675; --back: #fbfbf9; --card: #ffffff; --line: #dcdfe4;
  --accent: #2457a6; --second: #c26a1b; --new: #d8f0dc; --new-text: #14532b; --gone: #fbdfdc; --gone-text: #7c1d13; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8ec; --soft: #9aa4b2; --back: #14171c; --card: #1b2027;
  --line: #333b46; --accent: #7fb0ff; --second: #f0a860; --new: #143a22; --new-text: #b5ecc5; --gone: #46201c; --gone-text: #ffc9c2; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 90rem; padding: 1.2rem; color: var(--text); background: var(--back);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .5rem; }
p { margin: .3rem 0; } .soft { color: var(--soft); } code, .mono { font-family: ui-monospace, monospace; font-size: .9em; }
.cards { display: flex; flex-wrap: wrap; gap: .7rem; margin: .8rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .9rem; min-width: 9rem; }
.card b { display: block; font-size: 1.5rem; }
.charts { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem; }
figcaption { font-size: .85rem; color: var(--soft); } svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font-size: 11px; }
.bar { fill: var(--accent); } .bar.second { fill: var(--second); } .axis { stroke: var(--line); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; background: var(--card); }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
th { position: sticky; top: 0; background: var(--card); white-space: nowrap; }
th button { all: unset; cursor: pointer; font-weight: 600; } th button:focus-visible { outline: 2px solid var(--accent); }
th[aria-sort=ascending] button::after { content: " \\25b2"; } th[aria-sort=descending] button::after { content: " \\25bc"; }
td:not(.number) { min-width: 13rem; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
ins, del { border-radius: .2rem; padding: 0 .1rem; } ins { background: var(--new); color: var(--new-text); text-decoration: underline; }
del { background: var(--gone); color: var(--gone-text); text-decoration: line-through; }
input[type=search] { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: .4rem;
  padding: .35rem .6rem; width: min(26rem, 100%); }
select.narrow { display: none; font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); padding: .35rem; }
@media (max-width: 46rem) { select.narrow { display: inline-block; } body { padding: .7rem; }
  .wide.stacks { overflow-x: visible; } .stacks thead { display: none; }
  .stacks table, .stacks tbody, .stacks tr, .stacks td { display: block; width: 100%; }
  .stacks tr { border: 1px solid var(--line); border-radius: .5rem; margin-bottom: .7rem; padding: .3rem 0; background: var(--card); }
  .stacks td { border: 0; padding: .15rem .7rem; text-align: left; white-space: normal; }
  .stacks td:not(.number) { min-width: 0; }
  .stacks td.number { display: inline-block; width: auto; }
  .stacks td::before { content: attr(data-label) "  "; color: var(--soft); font-size: .8rem; } }
@media print { body { max-width: none; } th { position: static; } input { display: none; } tr { break-inside: avoid; } }
"""
SORT_SCRIPT = """
for (const table of document.querySelectorAll("table[data-sorts]")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const isNumber = head.dataset.kind === "number";
    const compare = (a, b) => {
      const [one, two] = [key(a), key(b)];
      if (isNumber && (one === "" || two === "")) return (one === "") - (two === "");  // lines without a value stay last
      return (isNumber ? one - two : one.localeCompare(two)) * (up ? 1 : -1);
    };
    body.append(...[...body.rows].sort(compare));
  }));
}
for (const field of document.querySelectorAll("input[data-filters]")) {
  const table = document.getElementById(field.dataset.filters), count = document.getElementById(field.dataset.filters + "-count");
  const choice = Object.assign(document.createElement("select"), { className: "narrow", ariaLabel: "Sort by" });  // no headings there
  const buttons = [...table.tHead.querySelectorAll("button")];
  choice.append(...["sort by", ...buttons.map(button => button.textContent)].map(name => new Option(name)));
  choice.addEventListener("change", () => buttons[choice.selectedIndex - 1]?.click());
  field.after(" ", choice);
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase();
    let shown = 0;
    for (const row of table.tBodies[0].rows) shown += !(row.hidden = !row.textContent.toLowerCase().includes(wanted));
    if (count) count.textContent = shown;
  });
}
"""


class Column(NamedTuple):
    """Of a table: its heading, whether its cells sort as numbers, what it means (shown on hovering)."""

    title: str
    is_number: bool = False
    about: str = ""


class Cell(NamedTuple):
    """html as it is shown; `value` is what sorts, the text itself where it is None."""

    html: str
    value: float | None = None


def document(title: str, body: str, script: str = "") -> str:
    """A whole page; body and script are used as they are."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)}</title>'
    policy = f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
    scripts = f"<script>{SORT_SCRIPT}{script}</script>"
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}{policy}<style>{STYLE}</style></head>\n<body>\n{body}\n{scripts}</body></html>\n'


def table(name: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], stacks: bool = True) -> str:
    """A table that sorts by any column; `stacks` turns each row into a card on narrow screens. `name` is its id."""
    heads = "".join(
        f'<th data-kind="{"number" if one.is_number else "text"}" title="{escape(one.about)}"><button>{escape(one.title)}</button></th>'
        for one in columns
    )
    lines = "\n".join(f"<tr>{''.join(map(_cell, columns, row))}</tr>" for row in rows)
    frame = '<div class="wide stacks">' if stacks else '<div class="wide">'
    return f'{frame}<table id="{escape(name)}" data-sorts><thead><tr>{heads}</tr></thead>\n<tbody>{lines}</tbody></table></div>'


def _cell(column: Column, cell: Cell) -> str:
    if not column.is_number:
        return f'<td data-label="{escape(column.title)}">{cell.html}</td>'
    value = "" if cell.value is None or not math.isfinite(cell.value) else f"{cell.value:.6g}"
    return f'<td class="number" data-label="{escape(column.title)}" data-value="{value}">{cell.html}</td>'


def filter_field(name: str, count: int, what: str) -> str:
    """A field that hides the rows of table `name` without the typed text, and says how many are shown."""
    return (
        f'<p><input type="search" data-filters="{escape(name)}" placeholder="Show lines with &#8230;" aria-label="Show lines with"> '
        f'<span class="soft"><span id="{escape(name)}-count">{count}</span> {escape(what)}</span></p>'
    )


def number(value: float | None, digits: int = 2) -> Cell:
    """A cell with a number; a dash where there is none."""
    is_there = value is not None and math.isfinite(value)
    return Cell(f"{value:.{digits}f}" if is_there else "&#8211;", value if is_there else None)


def histogram(title: str, series: Mapping[str, Sequence[float]], bins: int = 24) -> str:
    """A figure with the counts of one or two series of values side by side; values that are not finite are left out."""
    kept = {name: [float(v) for v in values if v is not None and math.isfinite(v)] for name, values in series.items()}
    every = [value for values in kept.values() for value in values]
    if not every:
        return f"<figure><figcaption>{escape(title)}: no values</figcaption></figure>"
    low, high = min(every), max(every)
    if all(value.is_integer() for value in every):  # whole numbers: bars of a whole width
        step = max(1.0, math.ceil((high - low + 1) / bins))
    else:
        step = (high - low) / bins or 1.0
    size = min(bins, int((high - low) / step) + 1)
    counts = {name: _counts(values, low, step, size) for name, values in kept.items()}
    bars = "".join(_bars(found, place, len(counts), max(map(max, counts.values()))) for place, found in enumerate(counts.values()))
    legend = " &#183; ".join(
        f'<span style="color:var(--{("accent", "second")[place]})">&#9632;</span> {escape(name)} (mean {sum(v) / max(1, len(v)):.4g})'
        for place, (name, v) in enumerate(kept.items())
    )
    top = max(map(max, counts.values()))
    marks = f'<text x="2" y="150">{low:.4g}</text><text x="318" y="150" text-anchor="end">{low + size * step:.4g}</text>'
    marks += f'<text x="2" y="11">{top}</text><line class="axis" x1="0" x2="320" y1="136" y2="136"/>'
    picture = f'<svg viewBox="0 0 320 154" role="img" aria-label="{escape(title)}">{bars}{marks}</svg>'
    return f"<figure>{picture}<figcaption><b>{escape(title)}</b><br>{legend}</figcaption></figure>"


def _counts(values: list[float], low: float, step: float, size: int) -> list[int]:
    found = [0] * size
    for value in values:
        found[min(size - 1, int((value - low) / step))] += 1
    return found


def _bars(counts: list[int], place: int, series: int, top: int) -> str:
    slot = 320 / len(counts)
    width = slot * 0.86 / series
    kind = "bar second" if place else "bar"
    return "".join(
        f'<rect class="{kind}" x="{number * slot + place * width + slot * 0.07:.1f}" y="{136 - 120 * count / top:.1f}" '
        f'width="{width:.1f}" height="{120 * count / top:.1f}"><title>{count}</title></rect>'
        for number, count in enumerate(counts)
        if count
    )
