"""Translation edit rate, computed by sacreBLEU."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from seqcfg.component.component import param
from seqcfg.metrics.sacrebleu_metric import SacrebleuMetric, scorer_of


class Ter(SacrebleuMetric, type="ter"):
    """Edits, shifts of word groups among them, in percent of the reference's words (Snover et al. 2006); less is better.

    Statistics of a line: edits to the nearest reference, mean number of the references' words.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    normalize: bool = param(default=False, doc="Whether punctuation is cut off words first (Tercom's `-N`).")
    keep_punctuation: bool = param(default=True, doc="Whether punctuation counts (false is Tercom's `-P`).")
    asian_support: bool = param(default=False, doc="Whether these two know Chinese, Japanese and Korean characters.")
    lowercase: bool = param(default=True, doc="Whether upper and lower case count as equal.")

    def scorer(self) -> Any:
        return scorer_of(
            "TER",
            normalized=self.normalize,
            no_punct=not self.keep_punctuation,
            asian_support=self.asian_support,
            case_sensitive=not self.lowercase,
        )
