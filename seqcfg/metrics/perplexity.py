"""Perplexity: how many equally likely tokens the model hesitates between."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Metric
from seqcfg.errors import UserError
from seqcfg.metrics.score import Score


class Perplexity(Metric, type="perplexity"):
    """exp(mean negative log-likelihood in nats per token, the end id included); comparable among models of one tokenizer only."""

    needs: ClassVar[str] = "loss"
    better: ClassVar[str] = "lower"

    loss: Literal["nll", "loss"] = param(default="nll", doc="Which mean: negative log-likelihood (nll), or the loss that was trained.")

    @property
    def label(self) -> str:
        return "perplexity"

    def from_means(self, means: dict[str, float]) -> Score:
        """means: {"nll", "loss": nats per weighted token} over the corpus; raises UserError where the task gave none."""
        if self.loss not in means:
            raise UserError(f"perplexity needs {self.loss!r}, and the task gave {', '.join(means) or 'nothing'}", hint="set its `loss`")
        mean = means[self.loss]
        value = math.exp(mean) if mean < 700 else math.inf
        return Score(name=self.label, value=value, signature=f"mean:{self.loss}", better="lower", details={"nats_per_token": mean})
