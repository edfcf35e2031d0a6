"""F1, precision and recall of labels: one per line, or several between white space."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.lazy import np
from seqcfg.metrics.corpus import single_spaced
from seqcfg.metrics.text_metric import TextMetric


class LabelMetric(TextMetric):
    """Counts of labels that are found rightly, found wrongly and missed, in percent.

    The labels are those of the references; all others in outputs are wrong and count as one more label. `micro` adds
    counts over labels, `macro` is the mean over the references' labels, `weighted` that mean weighted by how often each
    is in the references. What has no denominator counts 0. Of several references the first one counts.
    Statistics of a line: right, wrong, missed for each label in alphabetical order; then wrong ones that are no label.
    """

    average: Literal["micro", "macro", "weighted"] = param(default="macro", doc="How labels are put together.")
    labels: Literal["line", "words"] = param(default="line", doc="A line is one label, or a bag of labels between white space.")

    def statistics(self, hypotheses: list[str], references: list[list[str]]) -> Any:
        outputs = [self._labels(text) for text in hypotheses]
        wanted = [self._labels(texts[0]) for texts in references]
        places = {label: place for place, label in enumerate(sorted(set().union(*wanted)))}
        rows = np.zeros([len(outputs), 3 * len(places) + 1], np.float64)
        for row, found, right in zip(rows, outputs, wanted, strict=True):
            for counts, kind in ((found & right, 0), (found - right, 1), (right - found, 2)):
                for label, count in counts.items():
                    row[3 * places[label] + kind if label in places else -1] += count
        return rows

    def from_statistics(self, sums: Any) -> float:
        counts = np.asarray(sums)[:-1].reshape(-1, 3)  # [labels, (right, wrong, missed)]
        if self.average == "micro":
            right, wrong, missed = counts.sum(0)
            return 100.0 * self.of_counts(right, wrong + sums[-1], missed)
        values = [self.of_counts(*row) for row in counts]
        weights = counts[:, 0] + counts[:, 2] if self.average == "weighted" else np.ones([len(values)])
        return 100.0 * float(np.dot(values, weights)) / max(1.0, float(weights.sum()))

    def line_values(self, statistics: Any) -> list[float]:
        """Of a line alone the counts are added over labels: the others say nothing there."""
        counts = statistics[:, :-1].reshape(len(statistics), -1, 3).sum(1)
        return [100.0 * self.of_counts(r, w + other, m) for (r, w, m), other in zip(counts, statistics[:, -1])]

    def signature(self, references: list[list[str]]) -> str:
        return f"average:{self.average}|labels:{self.labels}|space:single"

    def of_counts(self, right: float, wrong: float, missed: float) -> float:
        """The value from 0 to 1 of one label's counts."""
        raise TypeError(f"{type(self).__name__} defines no of_counts")

    def _labels(self, text: str) -> Counter[str]:
        return Counter(text.split() if self.labels == "words" else [single_spaced(text)])


class F1(LabelMetric, type="f1"):
    """The harmonic mean of precision and recall of labels, in percent (van Rijsbergen 1979)."""

    def of_counts(self, right: float, wrong: float, missed: float) -> float:
        return _share(2 * right, 2 * right + wrong + missed)


class Precision(LabelMetric, type="precision"):
    """The share of found labels that are right, in percent."""

    def of_counts(self, right: float, wrong: float, missed: float) -> float:
        return _share(right, right + wrong)


class Recall(LabelMetric, type="recall"):
    """The share of the references' labels that are found, in percent."""

    def of_counts(self, right: float, wrong: float, missed: float) -> float:
        return _share(right, right + missed)


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 0.0
