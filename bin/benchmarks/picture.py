"""Small pictures of measurements, as SVG."""

from __future__ import annotations

import math

WIDTH, HEIGHT, COLUMNS = 250, 180, 3
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 28, 30
STYLE = (
    "text{font:11px sans-serif;fill:#555}.t{font-weight:bold;fill:#222}path{fill:none;stroke:#1f6fb2;stroke-width:2}circle{fill:#1f6fb2}"
)
AXIS = '<path d="M{x},{y}v{h}h{w}" style="stroke:#999;stroke-width:1"/>'


def panels(curves: dict[str, list[tuple[float, float]]], what: str) -> str:
    """A panel per curve, both axes logarithmic, all with one scale of `what`."""
    values = [y for points in curves.values() for _, y in points]
    low, high = math.log(min(values)) - 0.1, math.log(max(values)) + 0.1
    rows = -(-len(curves) // COLUMNS)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * COLUMNS} {HEIGHT * rows + 24}"><style>{STYLE}</style>']
    parts.append('<rect width="100%" height="100%" fill="#fff"/>')
    for number, (name, points) in enumerate(curves.items()):
        row, column = divmod(number, COLUMNS)
        parts.append(f'<g transform="translate({column * WIDTH},{row * HEIGHT + 18})">{_panel(name, points, low, high)}</g>')
    parts.append(f'<text x="{LEFT}" y="14">{what}, both axes logarithmic</text></svg>')
    return "\n".join(parts) + "\n"


def _panel(name: str, points: list[tuple[float, float]], low: float, high: float) -> str:
    across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    first, last = math.log(points[0][0]), math.log(points[-1][0])

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + across * (math.log(x) - first) / (last - first), TOP + up * (high - math.log(y)) / (high - low)

    places = [place(*point) for point in points]
    parts = [AXIS.format(x=LEFT, y=TOP, h=up, w=across), f'<text class="t" x="{LEFT}" y="{TOP - 8}">{name}</text>']
    parts.append('<path d="M' + "L".join(f"{x:.1f},{y:.1f}" for x, y in places) + '"/>')
    for (x, y), (across_at, up_at) in zip(points, places, strict=True):
        parts.append(f'<circle cx="{across_at:.1f}" cy="{up_at:.1f}" r="3"/>')
        parts.append(f'<text x="{across_at:.1f}" y="{up_at - 8:.1f}" text-anchor="middle">{y:.1f}</text>')
        parts.append(f'<text x="{across_at:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{x:,.0f}</text>')
    return "".join(parts)
