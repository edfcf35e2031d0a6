"""Which checkpoints of a run are written, kept and taken up again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqcfg.checkpoints import commit, read
from seqcfg.checkpoints.commit import CheckpointWriteError
from seqcfg.training.settings import Checkpointing


class Keeper:
    """Saves the state of a run and prunes what is no longer wanted: the newest few and the best few stay.

    is_better(one, other) compares two values of `metric`.
    """

    def __init__(self, folder: Path, settings: Checkpointing, metric: str, is_better: Callable[[float, float], bool]):
        self._folder, self._settings, self._metric, self._is_better = folder, settings, metric, is_better
        self.newest: int | None = None

    def restore(self, variables: dict[str, Any], warn: Callable[[str], None]) -> int:
        """Puts the newest whole checkpoint into the variables; returns its step, or 0 when there is none.

        Raises UserError when checkpoints exist but none is whole, or when it does not fit the variables.
        """
        info = read.latest_valid(self._folder, warn)
        if info is None:
            return 0
        read.restore(info.path, variables)
        self.newest = info.step
        return info.step

    def save(self, step: int, variables: dict[str, Any], metrics: dict[str, float]) -> str:
        """Writes a checkpoint; returns a warning when that failed (a full disk) and older ones were kept, else ""."""
        try:
            commit.save(self._folder, step, variables, {"step": step, "metrics": metrics})
        except CheckpointWriteError as error:
            return f"step {step}: {error}; training goes on, the checkpoints before are kept"
        self.newest = step
        self._prune()
        return ""

    def _prune(self) -> None:
        infos = sorted(read.find(self._folder), key=lambda info: info.step)
        keep = {info.step for info in infos[-self._settings.keep_last :]}
        keep |= {info.step for info in self.ranked(infos)[: self._settings.keep_best]}
        commit.prune(self._folder, keep)

    def ranked(self, infos: list[Any]) -> list[Any]:
        """The validated ones, best first; of two equal ones the older is better."""
        return rank(infos, self._metric, self._is_better)


def rank(infos: list[Any], metric: str, is_better: Callable[[float, float], bool]) -> list[Any]:
    """Checkpoints that carry `metric`, best first; of two equal ones the older comes first."""
    ranked: list[Any] = []
    for info in sorted(infos, key=lambda info: info.step):
        value = info.metadata.get("metrics", {}).get(metric)
        if value is None:
            continue
        place = next((i for i, other in enumerate(ranked) if is_better(value, other.metadata["metrics"][metric])), len(ranked))
        ranked.insert(place, info)
    return ranked
