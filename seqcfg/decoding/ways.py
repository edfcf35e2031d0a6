"""Which way a shape is run: as a plain graph, or compiled by XLA; decided by measurement, and recorded."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

COMPILATION_SECONDS = 4.0  # what one compilation is taken to cost until the first was measured
CALLS_TO_COMPARE = 2  # compiled calls, besides the one that compiles, before the two ways are compared


@dataclasses.dataclass
class Spent:
    """Calls, seconds and steps of one way on one shape, the compiling call left out."""

    calls: int = 0
    seconds: float = 0.0
    steps: int = 0

    @property
    def rate(self) -> float:
        """Seconds per step."""
        return self.seconds / max(1, self.steps)


class Ways:
    """`auto` compiles a shape once plain graphs have spent on it what a compilation costs, and returns to them if that was no gain.

    So no corpus takes more than twice the time of the better choice, whatever its shapes. `always` and `never` are as named.
    """

    def __init__(self, mode: str):
        self._mode = mode
        self._plain: dict[tuple[int, ...], Spent] = {}
        self._compiled: dict[tuple[int, ...], Spent] = {}
        self._compilations: list[float] = []
        self._lock = threading.Lock()

    @property
    def may_compile(self) -> bool:
        """Whether a plain graph may be followed by a compiled one."""
        return self._mode == "auto" and any(spent.seconds > self._patience() for spent in list(self._plain.values()))

    def is_xla(self, key: tuple[int, ...]) -> bool:
        """Whether the shape is run compiled."""
        if self._mode != "auto":
            return self._mode == "always"
        with self._lock:
            return self._is_better(key)

    def _is_better(self, key: tuple[int, ...]) -> bool:
        plain, compiled = self._plain.get(key, Spent()), self._compiled.get(key)
        if compiled is None or compiled.calls < CALLS_TO_COMPARE:
            return compiled is not None or plain.seconds > self._patience()
        return compiled.rate < plain.rate

    def record(self, key: tuple[int, ...], xla: bool, seconds: float, steps: int) -> None:
        """What one call took; the first compiled one is the compilation."""
        with self._lock:
            if xla and key not in self._compiled:
                self._compiled[key] = Spent()
                self._compilations.append(seconds)
                return
            spent = (self._compiled if xla else self._plain).setdefault(key, Spent())
            spent.calls, spent.seconds, spent.steps = spent.calls + 1, spent.seconds + seconds, spent.steps + steps

    def table(self) -> list[dict[str, Any]]:
        """What was measured: milliseconds a step either way per shape, and the choice.

        A shape is [rows, buffer, times of the inputs].
        """
        return [
            {
                "shape": list(key),
                "plain_ms": round(1e3 * self._plain[key].rate, 3) if key in self._plain else None,
                "xla_ms": round(1e3 * self._compiled[key].rate, 3) if key in self._compiled else None,
                "xla": self.is_xla(key),
            }
            for key in sorted(self._plain.keys() | self._compiled.keys())
        ]

    def _patience(self) -> float:
        return sum(self._compilations) / len(self._compilations) if self._compilations else COMPILATION_SECONDS
