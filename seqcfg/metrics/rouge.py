"""ROUGE: how much of a reference summary is found again."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.lazy import np
from seqcfg.metrics.text_metric import TextMetric

WORDS = {"ascii": re.compile(r"[a-z0-9]+"), "unicode": re.compile(r"\w+")}


class Rouge(TextMetric, type="rouge"):
    """Mean over lines of ROUGE's F, precision or recall in percent (Lin 2004); no stemming, no stop words.

    ROUGE-1 and -2 count n-grams, ROUGE-L the longest common subsequence of the words. Of several references the one with
    the best F counts. With words: ascii the values are those of the package rouge-score, made for English.
    Statistics of a line: precision, recall, F (each from 0 to 1), and 1.
    """

    variant: Literal["1", "2", "3", "L"] = param(default="L", doc="N-gram order, or L for the longest common subsequence.")
    measure: Literal["f1", "precision", "recall"] = param(default="f1", doc="Which of the three is the value.")
    words: Literal["ascii", "unicode"] = param(
        default="unicode", doc="Lower-cased runs of a-z and 0-9, or of letters, digits and marks of any script."
    )

    @property
    def default_name(self) -> str:
        return f"rouge{self.variant}" + ("" if self.measure == "f1" else f"_{self.measure}")

    def statistics(self, hypotheses: list[str], references: list[list[str]]) -> Any:
        rows = []
        for hypothesis, texts in zip(hypotheses, references, strict=True):
            found = [self._compared(self._words(hypothesis), self._words(text)) for text in texts]
            rows.append([*max(found, key=lambda one: one[2]), 1.0])
        return np.array(rows, np.float64)

    def from_statistics(self, sums: Any) -> float:
        return 100.0 * float(sums[("precision", "recall", "f1").index(self.measure)]) / float(sums[3])

    def signature(self, references: list[list[str]]) -> str:
        return f"rouge:{self.variant}|measure:{self.measure}|words:{self.words}|case:lc|stem:no|refs:best"

    def _words(self, text: str) -> list[str]:
        return WORDS[self.words].findall(text.lower())

    def _compared(self, hypothesis: list[str], reference: list[str]) -> tuple[float, float, float]:
        if self.variant == "L":
            same = importlib.import_module("rapidfuzz.distance").LCSseq.similarity(hypothesis, reference)
            sizes = len(hypothesis), len(reference)
        else:
            left, right = (_grams(words, int(self.variant)) for words in (hypothesis, reference))
            same, sizes = (left & right).total(), (left.total(), right.total())
        precision, recall = same / max(1, sizes[0]), same / max(1, sizes[1])
        return precision, recall, 2 * precision * recall / (precision + recall) if same else 0.0


def _grams(words: list[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[start:] for start in range(order))))
