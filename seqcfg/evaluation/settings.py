"""The recipe's `evaluation:` section: what a run is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Metric, Section
from seqcfg.component.types import Name, PositiveInt
from seqcfg.metrics.bleu import Bleu

Goal = Literal["minimize", "maximize"]


class BestBy(Record):
    """Which checkpoint is called the best."""

    metric: Name = param(default="loss", doc="Name of a validation figure, such as loss or bleu.")
    goal: Goal = param(default="minimize", doc="Whether a small or a large figure is good.")

    def is_better(self, value: float, than: float) -> bool:
        """Whether `value` beats `than`; an equal value does not."""
        return value < than if self.goal == "minimize" else value > than

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.metric in ("loss", "perplexity") and self.goal == "maximize":
            yield "goal", f"the best {self.metric} is the smallest, not the largest", "write goal: minimize"
        if self.metric in ("bleu", "chrf", "exact_match", "token_accuracy") and self.goal == "minimize":
            yield "goal", f"the best {self.metric} is the largest, not the smallest", "write goal: maximize"


class Evaluation(Section, type="evaluation"):
    """What outputs are compared with, and by which measures."""

    split: Name = param(default="test", doc="Name of the split of `data.splits` that is evaluated unless the command names another.")
    metrics: list[Metric] = param(factory=lambda: [Bleu()], doc="Measures, in the order in which they are shown.")
    best: BestBy = param(factory=BestBy, doc="How the best checkpoint is chosen.")
    max_tokens: PositiveInt = param(default=4096, doc="Tokens per batch when the loss is computed, padding included.", affects="nothing")
