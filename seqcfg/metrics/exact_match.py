"""Exact match: the share of outputs that are right to the last character."""

from __future__ import annotations

from typing import Any, ClassVar

from seqcfg.component.component import param
from seqcfg.component.kinds import Metric
from seqcfg.lazy import np
from seqcfg.metrics.corpus import check_sizes
from seqcfg.metrics.score import Score


class ExactMatch(Metric, type="exact_match"):
    """Percentage of hypotheses equal to one of their references, after white space is reduced to single spaces."""

    needs: ClassVar[str] = "strings"
    better: ClassVar[str] = "higher"

    lowercase: bool = param(default=False, doc="Whether upper and lower case count as equal.")

    @property
    def label(self) -> str:
        return "exact_match"

    def compute(self, hypotheses: list[str], references: list[list[str]]) -> Score:
        """references[i] are the references of hypothesis i; raises UserError when the counts differ."""
        right = int(self.statistics(hypotheses, references)[:, 0].sum())
        signature = f"case:{'lc' if self.lowercase else 'mixed'}|space:single"
        details = {"right": right, "lines": len(hypotheses)}
        return Score(name=self.label, value=100.0 * right / len(hypotheses), signature=signature, details=details)

    def statistics(self, hypotheses: list[str], references: list[list[str]]) -> Any:
        """[lines, 2] float64: whether the line is right, and 1."""
        check_sizes(hypotheses, references)
        pairs = zip(hypotheses, references, strict=True)
        right = [self._plain(hypothesis) in {self._plain(text) for text in texts} for hypothesis, texts in pairs]
        return np.array([[one, 1] for one in right], dtype=np.float64)

    def from_statistics(self, sums: Any) -> float:
        """Percentage right of statistics summed over lines."""
        return 100.0 * float(sums[0]) / float(sums[1])

    def _plain(self, text: str) -> str:
        text = " ".join(text.split())
        return text.lower() if self.lowercase else text
