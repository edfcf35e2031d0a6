"""Histograms of lengths, for the terminal and as a picture."""

from __future__ import annotations

import html
from typing import Any, NamedTuple

from seqcfg.lazy import np

BARS, WIDTH = 16, 48
EIGHTHS = " \u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"
PERCENTILES = (50, 90, 99)


class Histogram(NamedTuple):
    """Counts of equal bins from 0 on: bin i holds lengths edges[i] .. edges[i + 1] - 1."""

    title: str
    edges: Any
    counts: Any
    summary: str


def of_lengths(title: str, lengths: Any, unknown: float = 0.0) -> Histogram:
    """The histogram of int lengths [examples]; `unknown` is the share of tokens that the tokenizer does not know."""
    lengths = np.asarray(lengths)
    longest = int(lengths.max(initial=0))
    step = max(1, -(-(longest + 1) // BARS))
    counts = np.bincount(lengths // step, minlength=1)
    edges = np.arange(len(counts) + 1) * step
    summary = f"{len(lengths):,} examples, {int(lengths.sum()):,} steps"
    if len(lengths):
        middle = ", ".join(f"{p} % up to {int(np.percentile(lengths, p, method='higher')):,}" for p in PERCENTILES)
        summary += f", mean {lengths.mean():.1f}; {middle}, all up to {longest:,}"
    return Histogram(title, edges, counts, summary + (f"; {unknown:.2%} unknown" if unknown else ""))


def as_text(histogram: Histogram) -> list[str]:
    """Lines with one bar per bin."""
    most = max(int(histogram.counts.max(initial=1)), 1)
    lines = [histogram.title, f"  {histogram.summary}"]
    for start, stop, count in zip(histogram.edges, histogram.edges[1:], histogram.counts, strict=False):
        whole, rest = divmod(int(8 * WIDTH * count / most), 8)
        bar = (EIGHTHS[8] * whole + EIGHTHS[rest].strip()).ljust(WIDTH)
        lines.append(f"  {start:>7,}-{stop - 1:<7,} {bar} {count:,}")
    return lines


def as_svg(histograms: list[Histogram]) -> str:
    """A picture with all histograms below each other."""
    row, width, left = 14, 760, 110
    parts, y = [], 20
    for one in histograms:
        most = max(int(one.counts.max(initial=1)), 1)
        parts.append(f'<text x="10" y="{y}" font-weight="bold">{html.escape(one.title)}</text>')
        parts.append(f'<text x="10" y="{y + row + 2}" fill="#555">{html.escape(one.summary)}</text>')
        y += 2 * row + 8
        for start, stop, count in zip(one.edges, one.edges[1:], one.counts, strict=False):
            size = round((width - left - 90) * int(count) / most, 1)
            parts.append(f'<text x="{left - 6}" y="{y + 10}" text-anchor="end">{start:,}-{stop - 1:,}</text>')
            parts.append(f'<rect x="{left}" y="{y}" width="{size}" height="{row - 3}" fill="#4477aa"/>')
            parts.append(f'<text x="{left + size + 5}" y="{y + 10}" fill="#555">{count:,}</text>')
            y += row
        y += 2 * row
    style = 'font-family="sans-serif" font-size="11"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" {style}>\n' + "\n".join(parts) + "\n</svg>\n"
