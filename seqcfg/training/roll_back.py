"""Going back to an earlier state of a run where its updates go wrong, and passing over the batches that led there."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from seqcfg.checkpoints.contents import DamagedCheckpoint
from seqcfg.checkpoints.read import find
from seqcfg.component.component import Record, param
from seqcfg.component.types import NonNegativeInt, PositiveInt


class RollBack(Record):
    """Where `non_finite` or `skip.max_in_a_row` would end the run, it goes back to an earlier state and leaves batches out.

    After too much trouble in update t, the run goes on from the state after s updates, s the largest multiple of
    every_steps up to t - least_steps, but not from before the state that it went back to last. From there on the
    batches of the updates s + 1 to t + margin_steps are passed over, and all later ones come earlier: PaLM went back
    about 100 updates and passed over 200 to 500 batches (Chowdhery et al. 2022, arXiv:2204.02311, section 5.1). All
    of this is a function of the run's own past, so that a run that is killed meanwhile ends with the same bits.
    """

    every_steps: PositiveInt = param(
        default=100, doc="States to go back to: that before the first update and those after multiples of so many; they have checkpoints."
    )
    least_steps: PositiveInt = param(default=100, doc="At least so many updates are taken back.")
    margin_steps: NonNegativeInt = param(default=100, doc="The batches of so many updates after the last bad one are passed over, too.")
    max_times: PositiveInt = param(default=3, doc="After so many times the next trouble ends the run.")

    def target(self, update: int, history: list[WentBack]) -> int:
        """The number of finished updates of the state to go back to after trouble in an update."""
        before = max(0, update - self.least_steps) // self.every_steps * self.every_steps
        return max([before, *(one.to for one in history[-1:])])

    def is_wanted(self, step: int, newest: int) -> bool:
        """Whether a run whose newest checkpoint is that of `newest` may still go back to that of `step`."""
        return step % self.every_steps == 0 and step >= self.target(newest + 1, [])

    def decide(self, update: int, reason: str, examples: list[int], history: list[WentBack], parts: int) -> WentBack:
        """Where trouble in an update leads to; `parts` batches make an update."""
        to = self.target(update, history)
        first, last = (number_in_plan(jumps(history, parts), number) for number in (to * parts, update * parts - 1))
        return WentBack(to, update, first, last + self.margin_steps * parts, reason, tuple(examples))


@dataclasses.dataclass(frozen=True)
class WentBack:
    """That a run went back from update `trouble` to the state after `to` updates, and what it has passed over since.

    first_batch and last_batch are numbers in the plan of all batches, which `seqcfg data show` of the recipe prints;
    examples are those of the update that was too much.
    """

    to: int
    trouble: int
    first_batch: int
    last_batch: int
    reason: str
    examples: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A value that JSON can hold."""
        return dataclasses.asdict(self) | {"examples": list(self.examples)}

    @staticmethod
    def from_json(value: dict[str, Any]) -> WentBack:
        return WentBack(**value | {"examples": tuple(value["examples"])})

    def __str__(self) -> str:
        batches = f"batches {self.first_batch} to {self.last_batch}"
        return f"went back from update {self.trouble} to the state after {self.to} and passes over {batches}: {self.reason}"


def jumps(history: list[WentBack], parts: int) -> list[tuple[int, int]]:
    """[(n, m)], ascending: from its own batch n on, a run takes those of the plan from m on."""
    kept: list[WentBack] = []
    for one in history:
        kept = [earlier for earlier in kept if earlier.to < one.to] + [one]
    return [(one.to * parts, one.last_batch + 1) for one in kept]


def number_in_plan(found: list[tuple[int, int]], number: int) -> int:
    """The number in the plan of a run's own batch."""
    start, there = next((jump for jump in reversed(found) if jump[0] <= number), (0, 0))
    return there + number - start


def history_in(metadata: dict[str, Any]) -> list[WentBack]:
    """When a run has gone back, from the metadata of its checkpoint."""
    return [WentBack.from_json(one) for one in metadata.get("rollbacks", [])]


def history_of(checkpoints: Path) -> list[WentBack]:
    """When a run has gone back, oldest first, as its newest checkpoint that can be read has it."""
    for info in reversed(find(checkpoints)):
        try:
            return history_in(info.metadata)
        except DamagedCheckpoint:
            continue
    return []
