"""A process of a run that another one writes: it reads the same checkpoints and saves none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqcfg.checkpoints import read
from seqcfg.training.keeping import Keeper
from seqcfg.training.roll_back import WentBack


class Follower(Keeper):
    """Takes up the newest checkpoint as the first process does, and leaves saving to it."""

    def restore(self, variables: dict[str, Any], warn: Callable[[str], None]) -> int:
        info = read.latest_valid(self._folder, warn)
        if info is None:
            return 0
        self.metadata = read.restore(info.path, variables).metadata
        self.newest = info.step
        return info.step

    def is_due(self, step: int) -> bool:
        return False

    def save(self, step: int, variables: dict[str, Any], metadata: dict[str, Any]) -> None:
        """The first process does it."""

    def save_last(self, step: int, variables: dict[str, Any], metadata: dict[str, Any]) -> list[Any]:
        self.newest = step
        return []

    def go_back(self, history: list[WentBack]) -> None:
        """The first process does it."""

    def note_metrics(self, step: int, metrics: dict[str, float]) -> None:
        """The first process does it."""
