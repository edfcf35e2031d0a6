"""Perplexity: how many equally likely tokens the model hesitates between."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Metric
from seqcfg.errors import UserError
from seqcfg.metrics.score import Score

Unit = Literal["token", "word", "byte"]


class Perplexity(Metric, type="perplexity"):
    """exp(total negative log-likelihood in nats / number of units).

    Per token it is comparable among models of one tokenizer only, the end id counting as a token. Per word and per byte it
    is comparable among all models of the same text: words stand between white space, bytes are those of UTF-8, and the end
    of a line, which the end id predicts, counts as one word and as one byte.
    """

    needs: ClassVar[str] = "loss"
    better: ClassVar[str] = "lower"

    loss: Literal["nll", "loss"] = param(default="nll", doc="Which mean: negative log-likelihood (nll), or the loss that was trained.")
    per: Unit = param(default="token", doc="The unit that is predicted.")
    name: str = param(default="", doc="Name in tables and records; empty takes the usual one.", affects="nothing")

    @property
    def label(self) -> str:
        return self.name or ("perplexity" if self.per == "token" else f"perplexity_{self.per}")

    def from_means(self, means: dict[str, float], counts: dict[str, float] | None = None) -> Score:
        """means: {"nll", "loss": nats per weighted token} over the corpus; counts: its {"tokens", "words", "bytes"}.

        Raises UserError where the task gave no such mean.
        """
        if self.loss not in means:
            raise UserError(f"perplexity needs {self.loss!r}, and the task gave {', '.join(means) or 'nothing'}", hint="set its `loss`")
        mean, signature = means[self.loss], f"mean:{self.loss}"
        if self.per != "token":
            if not counts or not counts[f"{self.per}s"]:
                raise UserError(f"perplexity per {self.per} needs the text of the split", hint="write per: token")
            mean, signature = mean * counts["tokens"] / counts[f"{self.per}s"], f"{signature}|per:{self.per}|line_ends:counted"
        value = math.exp(mean) if mean < 700 else math.inf
        details = {f"nats_per_{self.per}": mean, f"bits_per_{self.per}": mean / math.log(2)}
        return Score(name=self.label, value=value, signature=signature, better="lower", details=details)
