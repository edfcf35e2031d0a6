"""Guarded: a watcher whose failures end no run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqcfg.training.journal import Watcher


class Guarded(Watcher):
    """Passes everything on; at the first failure it says so once and keeps silent from then on.

    Trackers speak to networks through other people's code, which may raise anything.
    """

    def __init__(self, name: str, open_watcher: Callable[[], Watcher], say: Callable[[str], None]):
        self._name, self._say, self._watcher = name, say, None
        self._watcher = self._try(open_watcher)

    def record(self, step: int, kind: str, values: dict[str, Any]) -> None:
        self._tell(lambda watcher: watcher.record(step, kind, values))

    def samples(self, step: int, samples: list[dict[str, str]]) -> None:
        self._tell(lambda watcher: watcher.samples(step, samples))

    def pictures(self, step: int, pictures: dict[str, Any]) -> None:
        self._tell(lambda watcher: watcher.pictures(step, pictures))

    def weights(self, step: int, weights: dict[str, Any]) -> None:
        self._tell(lambda watcher: watcher.weights(step, weights))

    def close(self) -> None:
        self._tell(lambda watcher: watcher.close())

    def _tell(self, call: Callable[[Watcher], None]) -> None:
        if self._watcher is not None:
            watcher: Watcher = self._watcher
            self._try(lambda: call(watcher))

    def _try(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - see the class
            self._watcher = None
            self._say(f"the tracker {self._name} is told no more: {type(error).__name__}: {error}")
            return None
