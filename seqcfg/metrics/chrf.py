"""chrF, computed by sacreBLEU."""

from __future__ import annotations

from typing import Any, ClassVar

from seqcfg.component.component import param
from seqcfg.component.kinds import Metric
from seqcfg.component.types import NonNegativeInt, PositiveInt
from seqcfg.lazy import np
from seqcfg.metrics.corpus import check_sizes, columns_of
from seqcfg.metrics.score import Score


class Chrf(Metric, type="chrf"):
    """Character n-gram F-score in percent, recall weighted twice (Popović 2015); `word_order: 2` is chrF++ (Popović 2017)."""

    needs: ClassVar[str] = "strings"
    better: ClassVar[str] = "higher"

    char_order: PositiveInt = param(default=6, doc="Longest character n-gram, in characters.")
    word_order: NonNegativeInt = param(default=0, doc="Longest word n-gram, in words; 0 counts characters alone.")
    lowercase: bool = param(default=False, doc="Whether upper and lower case count as equal.")

    @property
    def label(self) -> str:
        return "chrf" + "+" * self.word_order

    def compute(self, hypotheses: list[str], references: list[list[str]]) -> Score:
        """references[i] are the references of hypothesis i; raises UserError when the counts differ."""
        check_sizes(hypotheses, references)
        metric = self._metric()
        result = metric.corpus_score(hypotheses, columns_of(references))
        return Score(name=self.label, value=float(result.score), signature=str(metric.get_signature()))

    def statistics(self, hypotheses: list[str], references: list[list[str]]) -> Any:
        """[lines, 3 * orders] float64: for each order the n-grams of the output, of the closest reference, and those of both."""
        check_sizes(hypotheses, references)
        return np.array(self._metric()._extract_corpus_statistics(hypotheses, columns_of(references)), dtype=np.float64)

    def from_statistics(self, sums: Any) -> float:
        """chrF of statistics summed over lines."""
        return float(self._metric()._compute_f_score([float(n) for n in sums]))

    def _metric(self) -> Any:
        from sacrebleu.metrics import CHRF

        return CHRF(char_order=self.char_order, word_order=self.word_order, lowercase=self.lowercase)
