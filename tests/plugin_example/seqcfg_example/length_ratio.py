"""A metric of a plugin."""

from __future__ import annotations

from typing import ClassVar

from seqcfg.component.kinds import Metric
from seqcfg.metrics.score import Score


class LengthRatio(Metric, type="example.length_ratio"):
    """Characters of the hypotheses per character of the first references; 1 is best."""

    needs: ClassVar[str] = "strings"
    better: ClassVar[str] = "higher"

    @property
    def label(self) -> str:
        return "length_ratio"

    def compute(self, hypotheses: list[str], references: list[list[str]]) -> Score:
        ours, theirs = sum(map(len, hypotheses)), sum(len(texts[0]) for texts in references)
        return Score(name=self.label, value=ours / theirs, signature="unit:characters")
