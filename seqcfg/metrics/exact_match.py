"""Exact match: the share of outputs that are right to the last character."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.lazy import np
from seqcfg.metrics.corpus import case_of, single_spaced
from seqcfg.metrics.text_metric import TextMetric


class ExactMatch(TextMetric, type="exact_match"):
    """Percentage of hypotheses equal to one of their references, after white space is reduced to single spaces.

    Statistics of a line: 1 or 0 for right or wrong, and 1.
    """

    lowercase: bool = param(default=False, doc="Whether upper and lower case count as equal.")

    def statistics(self, hypotheses: list[str], references: list[list[str]]) -> Any:
        pairs = zip(hypotheses, references, strict=True)
        return np.array([[self._plain(text) in {self._plain(one) for one in texts}, 1] for text, texts in pairs], np.float64)

    def from_statistics(self, sums: Any) -> float:
        return 100.0 * sums[0] / sums[1]

    def signature(self, references: list[list[str]]) -> str:
        return f"{case_of(self.lowercase)}|space:single"

    def details(self, sums: Any) -> dict[str, Any]:
        return {"right": int(sums[0]), "lines": int(sums[1])}

    def _plain(self, text: str) -> str:
        text = single_spaced(text)
        return text.lower() if self.lowercase else text
