"""Perplexity: how many equally likely tokens the model hesitates between."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Metric
from seqcfg.errors import UserError
from seqcfg.lazy import np
from seqcfg.metrics.score import Score

LARGEST = 700.0  # whose exponential is still a number
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

    def statistics(self, scored: list[Any], texts: list[str]) -> Any:
        """Of each line its negative log-likelihood and its units, float64 [lines, 2]; scored: decoding.scoring.Scored."""
        units = {"token": lambda one, text: len(one.ids), "word": lambda _, text: words(text), "byte": lambda _, text: size(text)}[self.per]
        return np.array([[-one.log_probability, units(one, text)] for one, text in zip(scored, texts, strict=True)], np.float64)

    def from_statistics(self, sums: Any) -> float:
        mean = float(sums[0]) / float(sums[1])
        return math.exp(mean) if mean < LARGEST else math.inf

    def line_values(self, statistics: Any) -> list[float]:
        """The perplexity of each line alone."""
        return [self.from_statistics(row) for row in statistics]

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
        value = math.exp(mean) if mean < LARGEST else math.inf
        details = {f"nats_per_{self.per}": mean, f"bits_per_{self.per}": mean / math.log(2)}
        return Score(name=self.label, value=value, signature=signature, better="lower", details=details)


def words(text: str) -> int:
    """Words between white space, the end of the line counting as one."""
    return len(text.split()) + 1


def size(text: str) -> int:
    """Bytes of UTF-8, the end of the line counting as one."""
    return len(text.encode("utf-8")) + 1
