"""Pictures by Matplotlib as SVG that takes its colours from the page, so that it is light or dark with it."""

from __future__ import annotations

import functools
import importlib
import io
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from seqcfg.errors import UserError
from seqcfg.lazy import np

INK, SOFT, LINE = "#010101", "#020202", "#030303"  # stand for the page's variables until the SVG is written
NUM_COLORS = 8
COLORS = [f"#0f00{index:02x}" for index in range(NUM_COLORS)]
DASHES = ["-", (0, (5, 2)), (0, (1, 1.5))]
MAX_POINTS = 400  # of a curve; more cannot be seen
WIDTH, HEIGHT = 5.4, 3.1  # inches
ACCENT = (0.26, 0.50, 0.86)  # of heat maps: on white and on black alike


class Line(NamedTuple):
    """One curve: the number of its run, which decides its colour, and (x, y) points; a faint one is drawn thin."""

    run: int
    label: str
    points: Sequence[tuple[float, float]]
    is_faint: bool = False


def curves(name: str, title: str, lines: Sequence[Line], x_label: str = "step", log_from: float = 1000.0) -> str:
    """One SVG with all lines over a common x axis; empty where no line has a number. `name` tells the SVG's ids apart.

    The y axis is logarithmic where all values are positive and the largest is at least `log_from` times the smallest.
    """
    drawn = [line._replace(points=thinned(line.points)) for line in lines]
    drawn = [line for line in drawn if line.points]
    if not drawn:
        return ""

    def draw(axes: Any) -> None:
        for line in drawn:
            xs, ys = zip(*line.points, strict=True)
            style = DASHES[line.run // NUM_COLORS % len(DASHES)]
            width, strength = (0.9, 0.55) if line.is_faint else (1.8, 1.0)
            marker = {"marker": "o", "markersize": 3.5} if len(xs) < 3 else {}
            axes.plot(xs, ys, color=COLORS[line.run % NUM_COLORS], linestyle=style, linewidth=width, alpha=strength, **marker)
        axes.set_xlabel(x_label, color=SOFT)
        axes.xaxis.set_major_locator(_matplotlib().ticker.MaxNLocator(6, integer=x_label == "step"))
        values = [y for line in drawn for _, y in line.points]
        if min(values) > 0 and max(values) >= log_from * min(values):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("")
        axes.grid(True, color=LINE, linewidth=0.6)

    return _figure(name, title, draw)


def bars(name: str, title: str, counts: Sequence[int], longest: float, x_label: str) -> str:
    """A histogram of counts in equal steps from 0 to `longest`."""

    def draw(axes: Any) -> None:
        step = longest / len(counts)
        axes.bar([step * (index + 0.5) for index in range(len(counts))], counts, width=0.92 * step, color=COLORS[0])
        axes.set_xlabel(x_label, color=SOFT)
        axes.set_ylabel("examples", color=SOFT)
        axes.grid(True, axis="y", color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)

    return _figure(name, title, draw)


def heat_map(name: str, title: str, rows: Sequence[str], columns: Sequence[str], weights: Sequence[Sequence[float]]) -> str:
    """weights [rows, columns] between 0 and 1, the darker the larger; rows are outputs, columns are inputs."""
    grid = np.clip(np.asarray(weights, np.float64), 0, 1)
    pixels = np.concatenate([np.broadcast_to(ACCENT, (*grid.shape, 3)), grid[:, :, None]], axis=2)

    def draw(axes: Any) -> None:
        axes.imshow(pixels, interpolation="nearest", aspect="auto")
        axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right", fontsize=7)
        axes.set_yticks(range(len(rows)), rows, fontsize=7)

    return _figure(name, title, draw, (max(2.6, 0.24 * len(columns) + 1.2), max(1.8, 0.2 * len(rows) + 1.2)))


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most MAX_POINTS finite points, evenly chosen, the last one among them."""
    finite = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if len(finite) <= MAX_POINTS:
        return finite
    stride = (len(finite) - 1) / (MAX_POINTS - 1)
    return [finite[round(index * stride)] for index in range(MAX_POINTS)]


def _figure(name: str, title: str, draw: Callable[[Any], None], size: tuple[float, float] = (WIDTH, HEIGHT)) -> str:
    plotting = _matplotlib()
    settings = {"svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif", "font.size": 9, "text.parse_math": False}
    with plotting.rc_context(settings):
        figure = importlib.import_module("matplotlib.figure").Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title, color=INK, fontsize=10, loc="left")
        axes.tick_params(colors=SOFT, width=0.6)
        for side, spine in axes.spines.items():
            spine.set_color(LINE)
            spine.set_visible(side in ("left", "bottom"))
        draw(axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return themed(file.getvalue(), title)


def themed(svg: str, title: str) -> str:
    """Matplotlib's file as a part of a page: no prologue, colours as variables, a size that follows the page, a name for readers aloud."""
    from html import escape

    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg [^>]*?) width="([\d.]+)pt"', lambda m: f'{m[1]} data-width="{m[2]}"', svg, count=1)
    svg = re.sub(r'(<svg [^>]*?) height="[\d.]+pt"', r"\1", svg, count=1)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
    for color, variable in ((INK, "text"), (SOFT, "soft"), (LINE, "line")):
        svg = svg.replace(color, f"var(--{variable})")
    return re.sub(r"#0f00([0-9a-f]{2})", lambda found: f"var(--run-{int(found[1], 16)})", svg)


@functools.cache
def _matplotlib() -> Any:
    try:
        importlib.import_module("matplotlib.ticker")
        return importlib.import_module("matplotlib")
    except ImportError:
        hint = "pip install 'seqcfg[report]'; --format markdown needs no pictures"
        raise UserError("pictures need the package matplotlib, which is not installed", hint=hint) from None
