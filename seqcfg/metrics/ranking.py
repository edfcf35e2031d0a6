"""Measures of ranked outputs: the n best of a search, or the most probable labels."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.types import PositiveInt
from seqcfg.lazy import np
from seqcfg.metrics.corpus import case_of, single_spaced
from seqcfg.metrics.text_metric import TextMetric


class RankingMetric(TextMetric):
    """hypotheses[i] are the outputs of line i, best first; each of references[i] is right."""

    top: PositiveInt = param(default=1, doc="Outputs per line that are looked at.")
    lowercase: bool = param(default=False, doc="Whether upper and lower case count as equal.")

    @property
    def num_candidates(self) -> int:
        return self.top

    def statistics(self, hypotheses: list[Any], references: list[list[str]]) -> Any:
        rows = []
        for found, texts in zip(hypotheses, references, strict=True):
            outputs = list(dict.fromkeys(map(self._plain, [found] if isinstance(found, str) else found)))[: self.top]
            rows.append([self.of_line(outputs, {self._plain(text) for text in texts}), 1.0])
        return np.array(rows, np.float64)

    def from_statistics(self, sums: Any) -> float:
        return 100.0 * float(sums[0]) / float(sums[1])

    def signature(self, references: list[list[str]]) -> str:
        return f"top:{self.top}|{case_of(self.lowercase)}|space:single"

    def of_line(self, outputs: list[str], right: set[str]) -> float:
        """The value from 0 to 1 of different outputs, best first."""
        raise TypeError(f"{type(self).__name__} defines no of_line")

    def _plain(self, text: str) -> str:
        text = single_spaced(text)
        return text.lower() if self.lowercase else text


class Accuracy(RankingMetric, type="accuracy"):
    """Percentage of lines of which one of the `top` best outputs is right; 1 counts the best alone.

    Statistics of a line: 1 or 0, and 1.
    """

    @property
    def default_name(self) -> str:
        return "accuracy" if self.top == 1 else f"accuracy_top{self.top}"

    def of_line(self, outputs: list[str], right: set[str]) -> float:
        return float(any(output in right for output in outputs))


class MeanAveragePrecision(RankingMetric, type="mean_average_precision"):
    """Mean over lines of the average precision of the `top` best outputs, in percent (Manning et al. 2008, section 8.4).

    The precision at each rank that holds a right output is summed and divided by the number of right outputs, or by
    `top` where there are more. Equal outputs count once. Statistics of a line: its average precision from 0 to 1, and 1.
    """

    top: PositiveInt = param(default=5, doc="Outputs per line that are looked at.")

    def of_line(self, outputs: list[str], right: set[str]) -> float:
        hits, total = 0, 0.0
        for rank, output in enumerate(outputs, 1):
            if output in right:
                hits += 1
                total += hits / rank
        return total / min(len(right), self.top)
