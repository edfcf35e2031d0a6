"""chrF, computed by sacreBLEU."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.types import NonNegativeInt, PositiveInt
from seqcfg.metrics.sacrebleu_metric import SacrebleuMetric, scorer_of


class Chrf(SacrebleuMetric, type="chrf"):
    """Character n-gram F-score in percent, recall weighted twice (Popović 2015); `word_order: 2` is chrF++ (Popović 2017).

    Statistics of a line: n-grams of the output, of the reference, and matches, for each order.
    """

    char_order: PositiveInt = param(default=6, doc="Longest character n-gram, in characters.")
    word_order: NonNegativeInt = param(default=0, doc="Longest word n-gram, in words; 0 counts characters alone.")
    lowercase: bool = param(default=False, doc="Whether upper and lower case count as equal.")

    @property
    def default_name(self) -> str:
        return "chrf" + "+" * self.word_order

    def scorer(self) -> Any:
        return scorer_of("CHRF", char_order=self.char_order, word_order=self.word_order, lowercase=self.lowercase)
