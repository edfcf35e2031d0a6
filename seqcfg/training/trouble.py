"""Updates that are not to be trusted: noted, borne up to the recipe's bounds, and then the run's end or a way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqcfg.errors import UserError
from seqcfg.lazy import np
from seqcfg.training.examine import Examiner
from seqcfg.training.journal import Journal
from seqcfg.training.roll_back import WentBack
from seqcfg.training.skipping import TooManySkipped
from seqcfg.training.state import State
from seqcfg.training.step import MEASURED

NORM = MEASURED.index("norm")


class GoBack(Exception):
    """The run goes on from an earlier state."""

    def __init__(self, went_back: WentBack):
        super().__init__(str(went_back))
        self.went_back = went_back


class Trouble:
    """Looks at what updates gave; raises UserError or GoBack when it is more than the recipe bears.

    history  when the run has gone back before
    """

    def __init__(self, training: Any, state: State, step: Any, examiner: Examiner, journal: Journal, history: list[WentBack]):
        self._training, self._state, self._step, self._examiner = training, state, step, examiner
        self._journal, self._history = journal, history

    def meet(self, done: int, each: Any, say: Callable[[str], None]) -> None:
        """each [updates, len(MEASURED)], of which only the last may be not finite; it changed no weight then."""
        if not len(each) or np.isfinite(each[-1, NORM]):
            return
        examples = self._examiner.examples_of(done - 1)
        scale = self._state.under("loss_scale/").get("scale")
        if scale is not None and float(scale.numpy()) > 1.0:  # float16: the scale was too large and has been halved
            self._journal.write(done, "event", loss_scale=float(scale.numpy()))
            return
        self._journal.write(done, "event", non_finite=done, examples=examples)
        say(f"step {done}  not finite, left out")
        if not (verdict := self._training.non_finite.verdict(self._journal.non_finite)):
            return
        self._step.settle()
        found = self._examiner.examine(done - 1)
        what = found.first_non_finite or "the sum of the gradients"
        self._go_back(done, f"{what} ({verdict})")
        self._journal.write(done, "event", stopped=verdict, first_non_finite=found.first_non_finite)
        worst = "".join(f"\n    example {one.example}: {' | '.join(one.texts.values())}" for one in found.examples[:3])
        raise UserError(
            f"step {done} is not finite ({verdict}{self._times()}): {what};"
            f" it learns from the examples {', '.join(map(str, examples))}{worst}",
            hint=f"'seqcfg replay RUN --step {done}' takes it apart; a lower rate, clip.norm, or training.non_finite may help",
        )

    def refuse_too_many(self, done: int) -> None:
        """Raises when a learner has left out as many updates in a row as its skip.max_in_a_row."""
        try:
            self._step.refuse_too_many_skipped()
        except TooManySkipped as error:
            self._go_back(done, error.reason)
            raise

    def _go_back(self, done: int, reason: str) -> None:
        """Raises GoBack where the recipe says so and has not been followed too often."""
        policy = self._training.roll_back
        if policy is not None and len(self._history) < policy.max_times:
            examples = self._examiner.examples_of(done - 1)
            raise GoBack(policy.decide(done, reason, examples, self._history, self._training.accumulate_batches))

    def _times(self) -> str:
        times = len(self._history)
        return f", after going back {times} times, which is training.roll_back.max_times" if times and self._training.roll_back else ""
