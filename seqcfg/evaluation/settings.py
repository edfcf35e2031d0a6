"""The recipe's `evaluation:` section: what a run is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Metric, Section
from seqcfg.component.types import Fraction, Name, NonNegativeInt, PositiveInt
from seqcfg.metrics.bleu import Bleu
from seqcfg.metrics.significance import SAMPLES, SEED

Goal = Literal["minimize", "maximize"]
LOWER_IS_BETTER = ("loss", "nll", "perplexity", "ter", "wer", "cer", "per")
HIGHER_IS_BETTER = ("bleu", "chrf", "exact_match", "token_accuracy", "accuracy", "f1", "comet")


class BestBy(Record):
    """Which checkpoint is called the best; of equal ones the earliest is."""

    metric: Name = param(default="loss", doc="Name of a validation figure, such as loss or bleu.")
    goal: Goal = param(default="minimize", doc="Whether a small or a large figure is good.")

    def is_better(self, value: float, than: float) -> bool:
        """Whether `value` beats `than`; an equal value does not."""
        return value < than if self.goal == "minimize" else value > than

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.metric in LOWER_IS_BETTER and self.goal == "maximize":
            yield "goal", f"the best {self.metric} is the smallest, not the largest", "write goal: minimize"
        if self.metric in HIGHER_IS_BETTER and self.goal == "minimize":
            yield "goal", f"the best {self.metric} is the largest, not the smallest", "write goal: maximize"


class IntervalSettings(Record):
    """Bootstrap intervals: the metric of corpora drawn with replacement from the lines of the split (Koehn 2004)."""

    samples: NonNegativeInt = param(default=SAMPLES, doc="Corpora that are drawn; 0 computes no intervals.")
    confidence: Fraction = param(default=0.95, doc="Share of them that lies between the bounds.")
    seed: NonNegativeInt = param(default=SEED, doc="Seed of the draws; the default is sacreBLEU's, and gives its intervals.")


class Evaluation(Section, type="evaluation"):
    """What outputs are compared with, and by which measures."""

    split: Name = param(default="test", doc="Name of the split of `data.splits` that is evaluated unless the command names another.")
    metrics: list[Metric] = param(factory=lambda: [Bleu()], doc="Measures, in the order in which they are shown.")
    best: BestBy = param(factory=BestBy, doc="How the best checkpoint is chosen.")
    interval: IntervalSettings = param(factory=IntervalSettings, doc="How sure each metric is.", affects="nothing")
    max_tokens: PositiveInt = param(default=4096, doc="Tokens per batch when the loss is computed, padding included.", affects="nothing")

    def check(self) -> Iterator[tuple[str, str, str]]:
        labels = [metric.label for metric in self.metrics if hasattr(metric, "label")]
        for label in sorted({label for label in labels if labels.count(label) > 1}):
            yield "metrics", f"{labels.count(label)} metrics are called {label!r}", "give all but one of them a `name` of its own"
