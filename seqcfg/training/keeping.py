"""Which checkpoints of a run are written, kept and taken up again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqcfg.checkpoints import commit, read
from seqcfg.checkpoints.writer import CheckpointWriter, Written
from seqcfg.errors import UserError
from seqcfg.training.roll_back import RollBack, WentBack
from seqcfg.training.settings import Checkpointing

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 5.0, 300.0
LAST_TRIES = 4  # for the state at the end, with pauses of 1, 2 and 4 s


class Keeper:
    """Saves the state of a run and prunes what is no longer wanted: the newest few stay, and the best few by `metric`.

    A checkpoint that could not be written is tried again, ever more rarely, with the state of that moment.
    """

    def __init__(
        self,
        folder: Path,
        settings: Checkpointing,
        metric: str,
        is_higher_better: bool,
        allow: Callable[[], None] = lambda: None,
        roll_back: RollBack | None = None,
    ):
        self._roll_back, self._made_again = roll_back, -1
        self._folder, self._settings, self._metric, self._is_higher_better = folder, settings, metric, is_higher_better
        self._writer = CheckpointWriter(folder, settings.asynchronous, allow)
        self.newest: int | None = None
        self.metadata: dict[str, Any] = {}
        self._saved_at = time.monotonic()
        self._retry_at, self._retry_seconds = float("inf"), FIRST_RETRY_SECONDS

    def restore(self, variables: dict[str, Any], warn: Callable[[str], None]) -> int:
        """Puts the newest whole checkpoint into the variables; returns its step, or 0 when there is none.

        Raises UserError when checkpoints exist but none is whole, or when it does not fit the variables.
        """
        commit.clean(self._folder)
        info = read.latest_valid(self._folder, warn)
        if info is None:
            return 0
        self.metadata = read.restore(info.path, variables).metadata
        self.newest = info.step
        return info.step

    def is_due(self, step: int) -> bool:
        """Whether the state after `step` updates should be saved: by steps, by time, or because the last attempt failed."""
        now = time.monotonic()
        minutes = self._settings.every_minutes
        return (
            step % self._settings.every_steps == 0
            or (self._roll_back is not None and step % self._roll_back.every_steps == 0)
            or now >= self._retry_at
            or (minutes is not None and now >= self._saved_at + 60.0 * minutes)
        )

    def save(self, step: int, variables: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Begins a checkpoint of the variables as they are now."""
        self._saved_at, self._retry_at = time.monotonic(), float("inf")
        self._writer.save(step, variables, metadata)

    def outcomes(self) -> list[Written]:
        """What became of the checkpoints begun since the last call; those that came to be have let older ones go."""
        outcomes = self._writer.finished()
        for outcome in outcomes:
            if outcome.failure:
                self._retry_at = time.monotonic() + self._retry_seconds
                self._retry_seconds = min(2 * self._retry_seconds, LAST_RETRY_SECONDS)
            else:
                self.newest, self._retry_at, self._retry_seconds = outcome.step, float("inf"), FIRST_RETRY_SECONDS
                self._prune()
        return outcomes

    def wait(self) -> list[Written]:
        """`outcomes`, once nothing is being written any more."""
        self._writer.wait()
        return self.outcomes()

    def save_last(self, step: int, variables: dict[str, Any], metadata: dict[str, Any]) -> list[Written]:
        """Saves the state with which a run ends, and does not give up at the first failure; returns what became of it."""
        outcomes = self.wait()
        for attempt in range(LAST_TRIES):
            if self.newest == step:
                break
            if attempt:
                time.sleep(2 ** (attempt - 1))
            self.save(step, variables, metadata)
            outcomes += self.wait()
        return outcomes

    def go_back(self, history: list[WentBack]) -> None:
        """Makes the checkpoint that the last of `history` names the newest and gives it this history; `restore` comes next.

        The later ones are deleted first: a death in between leaves a run that comes to the same trouble again. Where that
        checkpoint is missing or damaged, the run makes it again from an older one. Raises UserError where it cannot.
        """
        self.wait()
        wanted = history[-1].to
        there = [info for info in read.find(self._folder) if info.step <= wanted and not info.damage()]
        if not there or (there[-1].step < wanted and self._made_again == wanted):
            raise UserError(
                f"the run {history[-1]}; but there is no whole checkpoint to go back to in {self._folder}",
                hint="restore one from a copy, or start again; training.roll_back keeps those that it needs from the first step on",
            )
        commit.remove_after(self._folder, there[-1].step)
        if there[-1].step == wanted:
            commit.set_metadata(there[-1].path, rollbacks=[one.to_json() for one in history])
        else:
            self._made_again = wanted

    def _prune(self) -> None:
        settings = self._settings
        kept = commit.choose(
            self._folder, last=settings.keep_last, best=settings.keep_best, metric=self._metric, is_higher_better=self._is_higher_better
        )
        if settings.keep_every_steps is not None:
            kept |= {info.step for info in read.find(self._folder) if info.step % settings.keep_every_steps == 0}
        if self._roll_back is not None and self.newest is not None:
            kept |= {info.step for info in read.find(self._folder) if self._roll_back.is_wanted(info.step, self.newest)}
        commit.prune(self._folder, kept)
