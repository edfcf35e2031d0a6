"""Counters, gauges and histograms of a server in Prometheus' text format."""

from __future__ import annotations

import bisect
import collections
import sys
import traceback

PREFIX = "seqcfg_"
HELP = {
    "requests_total": ("counter", "Requests by status code."),
    "texts_total": ("counter", "Texts answered."),
    "problems_total": ("counter", "Batches on which the model failed."),
    "connections": ("gauge", "Connections open now."),
    "waiting_texts": ("gauge", "Texts that wait for the model."),
    "request_seconds": ("histogram", "From a whole request to its answer, in seconds."),
    "batch_seconds": ("histogram", "What the model takes for a batch, in seconds."),
    "batch_texts": ("histogram", "Texts decoded together."),
}
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """What happened since the start. All calls are made by the server's one event loop."""

    def __init__(self) -> None:
        self._values: collections.Counter[tuple[str, str]] = collections.Counter()
        self._observed: dict[str, list[int]] = {}
        self._sums: collections.Counter[str] = collections.Counter()

    def count(self, name: str, by: int = 1, label: str = "") -> None:
        self._values[name, label] += by

    def set(self, name: str, value: int) -> None:
        self._values[name, ""] = value

    def observe(self, name: str, value: float) -> None:
        bounds = _bounds(name)
        counts = self._observed.setdefault(name, [0] * (len(bounds) + 1))
        counts[bisect.bisect_left(bounds, value)] += 1
        self._sums[name] += value  # type: ignore[assignment] # a Counter adds floats, too

    def problem(self, error: BaseException) -> None:
        """Counts a failure of the model and writes its trace to standard error, never to a client."""
        self.count("problems_total")
        traceback.print_exception(error, file=sys.stderr)

    def text(self) -> str:
        """Everything, as Prometheus reads it (prometheus.io/docs/instrumenting/exposition_formats)."""
        lines = []
        for name, (kind, about) in HELP.items():
            lines += [f"# HELP {PREFIX}{name} {about}", f"# TYPE {PREFIX}{name} {kind}"]
            lines += self._histogram(name) if kind == "histogram" else self._plain(name)
        return "\n".join(lines) + "\n"

    def _plain(self, name: str) -> list[str]:
        found = {label: value for (one, label), value in self._values.items() if one == name} or {"": 0}
        return [f"{PREFIX}{name}{label} {value}" for label, value in sorted(found.items())]

    def _histogram(self, name: str) -> list[str]:
        bounds = _bounds(name)
        counts, total, lines = self._observed.get(name, [0] * (len(bounds) + 1)), 0, []
        for bound, count in zip([*map(str, bounds), "+Inf"], counts, strict=True):
            total += count
            lines.append(f'{PREFIX}{name}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"{PREFIX}{name}_sum {self._sums[name]:.6g}", f"{PREFIX}{name}_count {total}"]


def _bounds(name: str) -> tuple[float, ...]:
    return COUNTS if name.endswith("texts") else SECONDS
