"""Measures of texts that follow from sums over lines, which is what intervals and paired tests need."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Metric
from seqcfg.metrics.corpus import check_sizes
from seqcfg.metrics.score import Score


class TextMetric(Metric):
    """A measure that needs outputs and references alone.

    A member defines `default_name`, `statistics`, `from_statistics` and `signature`. Statistics are a float64 array
    [lines, numbers]: of their sum over all lines, `from_statistics` gives the value that `compute` gives. The number of
    columns depends on the settings and the references alone, so that two systems' statistics pair.
    """

    needs: ClassVar[str] = "strings"
    better: ClassVar[Literal["higher", "lower"]] = "higher"
    num_candidates: ClassVar[int] = 1  # outputs per line that are looked at; `hypotheses` holds lists where it is not 1

    name: str = param(default="", doc="Name in tables and records; empty takes the usual one.", affects="nothing")

    @property
    def label(self) -> str:
        return self.name or self.default_name

    @property
    def default_name(self) -> str:
        return self.type

    def statistics(self, hypotheses: list[Any], references: list[list[str]]) -> Any:
        """float64 [lines, numbers]; references[i] are those of hypothesis i."""
        raise TypeError(f"{type(self).__name__} defines no statistics")

    def from_statistics(self, sums: Any) -> float:
        """The value that follows from sums over lines [numbers]."""
        raise TypeError(f"{type(self).__name__} defines no from_statistics")

    def signature(self, references: list[list[str]]) -> str:
        """Everything that must be equal before two values may be compared."""
        raise TypeError(f"{type(self).__name__} defines no signature")

    def details(self, sums: Any) -> dict[str, Any]:
        """Figures behind the value, from the same sums."""
        return {}

    def line_values(self, statistics: Any) -> list[float]:
        """The value of each line alone, for looking at lines; statistics [lines, numbers]."""
        return [self.from_statistics(row) for row in statistics]

    def compute(self, hypotheses: list[Any], references: list[list[str]]) -> Score:
        """The score of a corpus; raises UserError when it has no lines, or not one entry of references for each."""
        check_sizes(hypotheses, references)
        return self.score(self.statistics(hypotheses, references), references)

    def score(self, statistics: Any, references: list[list[str]]) -> Score:
        """The score that follows from `statistics(hypotheses, references)`."""
        sums = statistics.sum(0)
        value = float(self.from_statistics(sums))
        return Score(name=self.label, value=value, signature=self.signature(references), better=self.better, details=self.details(sums))
