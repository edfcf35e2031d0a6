"""The report as one HTML file: nothing in it is fetched, it is light or dark as its reader is, and it can be printed."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from seqcfg.comparison.as_html import blocks_html
from seqcfg.comparison.document import Section
from seqcfg.evaluation.differences import marked
from seqcfg.reporting import sections
from seqcfg.reporting.learning_curves import learning_curves
from seqcfg.reporting.pictures import DASHES, NUM_COLORS, bars, heat_map
from seqcfg.reporting.recipe_view import RecipeView
from seqcfg.reporting.report import Report
from seqcfg.reporting.samples import attention_maps, samples
from seqcfg.runs.html import Cell, Column, document, table

MAX_MAPS = 4  # attention maps shown of each run
STYLE = """
:root { --quiet: var(--soft); --good: #0b7a3b; --bad: #b3261e; --changed: #fff0b8; --changed-text: #3d2f00;
  --run-0: #2457a6; --run-1: #c26a1b; --run-2: #2a8a4a; --run-3: #a3317f;
  --run-4: #6a53c2; --run-5: #8a7a10; --run-6: #0f8a94; --run-7: #b3343a; }
@media (prefers-color-scheme: dark) { :root { --good: #5fd08f; --bad: #ff8a80; --changed: #55430a; --changed-text: #ffe9a8;
  --run-0: #7fb0ff; --run-1: #f0a860; --run-2: #6ed392; --run-3: #f08fd0;
  --run-4: #b3a2ff; --run-5: #d9c95a; --run-6: #5fd5df; --run-7: #ff9590; } }
.quiet, .note, td small { color: var(--quiet); } .good { color: var(--good); } .bad { color: var(--bad); } .strong { font-weight: 600; }
.right { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; } td small { display: block; }
h2 { border-bottom: 1px solid var(--line); padding-bottom: .2rem; } h2::first-letter { text-transform: uppercase; }
ul { padding-left: 1.2rem; margin: .4rem 0; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .6rem 0; } a { color: var(--accent); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: .5rem 0; }
.legend svg { width: 2rem; display: inline-block; vertical-align: middle; }
.charts { grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); }
figure svg text { fill: currentColor; font-size: inherit; } figure { overflow-x: auto; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem;
  overflow-x: auto; font-size: .85rem; line-height: 1.45; }
mark { background: var(--changed); color: var(--changed-text); border-radius: .2rem; padding: 0 .15rem; }
details { margin: .5rem 0; } summary { cursor: pointer; font-weight: 600; }
th { position: static; } code { overflow-wrap: anywhere; }
@media (max-width: 46rem) { .stacks td.right { text-align: left; white-space: normal; } .stacks td:empty { display: none; } }
@media print { nav { display: none; } details > * { display: block; } pre { white-space: pre-wrap; } figure, tr { break-inside: avoid; } }
"""
PRINT_SCRIPT = """
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(one => { one.open = true; }));
"""


def page(report: Report, num_samples: int) -> str:
    """The whole file."""
    parts = [(title, html) for title, html in _parts(report, num_samples) if html.strip()]
    links = "".join(f'<a href="#part-{number}">{escape(title)}</a>' for number, (title, _) in enumerate(parts))
    body = [f"<style>{STYLE}</style><h1>{escape(report.title)}</h1>", _about(report), f"<nav>{links}</nav>"]
    body += [f'<section id="part-{number}"><h2>{escape(title)}</h2>\n{html}</section>' for number, (title, html) in enumerate(parts)]
    return document(f"Report: {report.title}", "\n".join(body), PRINT_SCRIPT)


def _parts(report: Report, num_samples: int) -> Iterator[tuple[str, str]]:
    """(heading, HTML) in the order of reading; a part without content is empty."""
    yield _told(sections.summary(report))
    yield _told(sections.verdict(report))
    yield _told(sections.sweep(report))
    yield _told(sections.claims(report))
    curves = learning_curves(report.sides)
    yield "learning curves", _legend(report) + _figures(curves) if curves else ""
    for section in sections.differences(report):
        yield _told(section)
    yield _told(sections.results(report))
    yield "samples", _samples(report, num_samples)
    yield "attention", _attention(report)
    yield "recipes", _recipes(report)
    title, html = _told(sections.data(report))
    yield title, html + _figures(_length_pictures(report))
    yield _told(sections.environment(report))


def _told(section: Section) -> tuple[str, str]:
    return section.title, blocks_html(section)


def _about(report: Report) -> str:
    abouts = dict.fromkeys(side.experiment.recipe.about for side in report.sides if side.experiment.recipe.about)
    return "".join(f'<p class="soft">{escape(about)}</p>' for about in list(abouts)[:3])


def _legend(report: Report) -> str:
    """Which colour and dashes are whose."""
    entries = []
    for index, side in enumerate(report.sides):
        dash: Any = DASHES[index // NUM_COLORS % len(DASHES)]
        dashes = "" if isinstance(dash, str) else f' stroke-dasharray="{" ".join(str(3 * length) for length in dash[1])}"'
        stroke = f'<line x1="0" y1="6" x2="32" y2="6" style="stroke: var(--run-{index % NUM_COLORS}); stroke-width: 3"{dashes}/>'
        entries.append(f'<span><svg viewBox="0 0 32 12" aria-hidden="true">{stroke}</svg> {escape(side.label)}</span>')
    return f'<div class="legend">{"".join(entries)}</div>'


def _figures(pictures: list[str]) -> str:
    return f'<div class="charts">{"".join(f"<figure>{picture}</figure>" for picture in pictures)}</div>' if pictures else ""


def _samples(report: Report, count: int) -> str:
    """Outputs with what differs from the reference marked."""
    parts = []
    for split, found in samples(report.evaluations, count).items():
        columns = [Column("line", True), Column("source"), Column("reference"), *(Column(side.label) for side in report.sides)]
        rows = []
        for one in found:
            outputs = [
                marked(one.reference, text)[1] if text is not None else '<span class="soft">not evaluated</span>' for text in one.outputs
            ]
            cells = [Cell(escape(one.source)), Cell(escape(one.reference)), *map(Cell, outputs)]
            rows.append([Cell(str(one.number), float(one.number)), *cells])
        parts.append(f'<p class="soft">{escape(split)}: what the reference does not have is <ins>underlined</ins></p>')
        parts.append(table(f"samples-{split}", columns, rows))
    return "\n".join(parts)


def _attention(report: Report) -> str:
    pictures = []
    for index, one in enumerate(attention_maps(report.sides, report.evaluations, MAX_MAPS)):
        title = f"{one.side.label}, line {one.number}"
        pictures.append(heat_map(f"map-{index}", title, one.target, one.source, one.weights))
    return _figures(pictures)


def _recipes(report: Report) -> str:
    changes = report.comparison.changes if report.comparison is not None else []
    marks = "<b>bold</b>: not the default" + ("; <mark>marked</mark>: differs among the runs" if changes else "")
    parts = [f'<p class="soft">{marks}. A value tells its meaning when the pointer rests on it.</p>']
    for number, side in enumerate(report.sides):
        opened = " open" if number == 0 and len(report.sides) <= 2 else ""
        parts.append(f"<details{opened}><summary>{escape(side.label)}</summary><pre>{RecipeView(side, changes).html()}</pre></details>")
    return "\n".join(parts)


def _length_pictures(report: Report) -> list[str]:
    """Histograms of the lengths in the first split of each data that is at hand: that which is trained on."""
    found = []
    for fingerprint, splits in report.data.items():
        for one in splits[0].lengths[:3]:
            name = f"{one.feature}-{fingerprint[:6]}"
            found.append(bars(name, f"Length of {one.feature} ({splits[0].name})", one.counts, max(1, one.longest), one.unit))
    return found
