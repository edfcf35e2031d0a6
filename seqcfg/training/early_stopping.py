"""Ending a run when held-out data no longer gets better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal

from seqcfg.component.component import Record, param
from seqcfg.component.types import Name, NonNegativeFloat, NonNegativeInt, PositiveInt


class EarlyStopping(Record):
    """Ends a run after `patience` validations in a row without progress (Prechelt 1998, "Early stopping - but when?").

    A figure is progress when it beats the best so far by more than `min_improvement`, so that noise does not keep a
    run alive. The verdict depends on the validations alone: a run that was interrupted ends at the same step.
    """

    metric: Name = param(default="loss", doc="Name of a validation figure, such as loss or bleu.")
    goal: Literal["minimize", "maximize"] = param(default="minimize", doc="Whether a small or a large figure is good.")
    patience: PositiveInt = param(default=5, doc="Validations in a row without progress after which the run ends.")
    min_improvement: NonNegativeFloat = param(
        default=0.0, doc="By how much a figure must beat the best one to be progress, in its own unit."
    )
    min_steps: NonNegativeInt = param(default=0, doc="The run does not end before so many steps.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.metric in ("loss", "perplexity") and self.goal == "maximize":
            yield "goal", f"the best {self.metric} is the smallest, not the largest", "write goal: minimize"
        if self.metric in ("bleu", "chrf", "exact_match", "token_accuracy") and self.goal == "minimize":
            yield "goal", f"the best {self.metric} is the largest, not the smallest", "write goal: maximize"

    def verdict(self, validations: Iterable[tuple[int, dict[str, float]]]) -> str:
        """Why the run should end after these (step, figures) in order of steps; empty while it should go on."""
        best, best_step, waited, step = math.inf, 0, 0, 0
        for step, figures in validations:
            if self.metric not in figures:
                continue
            value = figures[self.metric] if self.goal == "minimize" else -figures[self.metric]
            if value < best - self.min_improvement:  # never true of NaN
                best, best_step, waited = value, step, 0
            else:
                waited += 1
        if waited < self.patience or step < self.min_steps:
            return ""
        shown = best if self.goal == "minimize" else -best
        return f"no better {self.metric} in {waited} validations since step {best_step} ({shown:.4g})"
