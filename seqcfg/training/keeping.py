"""Which checkpoints of a run are written, kept and taken up again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqcfg.checkpoints import commit, read
from seqcfg.checkpoints.commit import CheckpointWriteError
from seqcfg.training.settings import Checkpointing


class Keeper:
    """Saves the state of a run and prunes what is no longer wanted: the newest few stay, and the best few by `metric`."""

    def __init__(self, folder: Path, settings: Checkpointing, metric: str, is_higher_better: bool):
        self._folder, self._settings, self._metric, self._is_higher_better = folder, settings, metric, is_higher_better
        self.newest: int | None = None

    def restore(self, variables: dict[str, Any], warn: Callable[[str], None]) -> int:
        """Puts the newest whole checkpoint into the variables; returns its step, or 0 when there is none.

        Raises UserError when checkpoints exist but none is whole, or when it does not fit the variables.
        """
        commit.clean(self._folder)
        info = read.latest_valid(self._folder, warn)
        if info is None:
            return 0
        read.restore(info.path, variables)
        self.newest = info.step
        return info.step

    def save(self, step: int, variables: dict[str, Any], metrics: dict[str, float]) -> str:
        """Writes a checkpoint; returns a warning when that failed (a full disk) and older ones were kept, else an empty string."""
        try:
            commit.save(self._folder, step, variables, {"metrics": metrics})
        except CheckpointWriteError as error:
            return str(error)
        self.newest = step
        settings = self._settings
        kept = commit.choose(
            self._folder, last=settings.keep_last, best=settings.keep_best, metric=self._metric, is_higher_better=self._is_higher_better
        )
        commit.prune(self._folder, kept)
        return ""
