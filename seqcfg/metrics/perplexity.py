"""Perplexity: how many equally likely tokens the model hesitates between."""

from __future__ import annotations

import math
from typing import ClassVar

from seqcfg.component.component import param
from seqcfg.component.kinds import Metric
from seqcfg.errors import UserError
from seqcfg.metrics.score import Score


class Perplexity(Metric, type="perplexity"):
    """exp(summed loss in nats / summed weight); it can be compared among models of one tokenizer and one loss only."""

    needs: ClassVar[str] = "loss"
    better: ClassVar[str] = "lower"

    loss: str = param(default="", doc="Name of a sum of the task; empty takes negative_log_likelihood, else the first.")

    @property
    def label(self) -> str:
        return "perplexity"

    def from_sums(self, sums: dict[str, tuple[float, float]]) -> Score:
        """sums: {name: (total, weight)} over the corpus, in nats and tokens; raises UserError for an unknown name."""
        if not sums:
            raise UserError("perplexity needs a loss, and the task gave none")
        name = self.loss or ("negative_log_likelihood" if "negative_log_likelihood" in sums else next(iter(sums)))
        if name not in sums:
            raise UserError(f"the task has no loss called {name!r}", hint=f"one of {', '.join(sums)}")
        total, weight = sums[name]
        mean = total / weight if weight else math.inf
        value = math.exp(mean) if mean < 700 else math.inf
        details = {"nats_per_token": mean, "tokens": weight}
        return Score(name=self.label, value=value, signature=f"loss:{name}", better="lower", details=details)
