"""ROUGE: how much of a reference summary is found again."""

from __future__ import annotations

import functools
import importlib
import re
from collections import Counter
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.errors import UserError
from seqcfg.lazy import np
from seqcfg.metrics.text_metric import TextMetric

SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")
WORDS = {"ascii": re.compile(r"[a-z0-9]+"), "unicode": re.compile(r"\w+")}


class Rouge(TextMetric, type="rouge"):
    """Mean over lines of ROUGE's F, precision or recall in percent (Lin 2004); no stop words.

    ROUGE-1 and -2 count n-grams, ROUGE-L the longest common subsequence of the words. Of several references the one with
    the best F counts. ROUGE-Lsum takes the union of the common subsequences of a
    reference's sentence with every sentence of the output; sentences end with ., ! or ? before white space, or at a line
    feed. With words: ascii the values are those of the package rouge-score, made for English.
    Statistics of a line: precision, recall, F (each from 0 to 1), and 1.
    """

    variant: Literal["1", "2", "3", "L", "Lsum"] = param(
        default="L", doc="N-gram order, or L for the longest common subsequence, or Lsum for those of sentences."
    )
    measure: Literal["f1", "precision", "recall"] = param(default="f1", doc="Which of the three is the value.")
    words: Literal["ascii", "unicode"] = param(
        default="unicode", doc="Lower-cased runs of a-z and 0-9, or of letters, digits and marks of any script."
    )

    stemming: bool = param(
        default=False,
        doc="Whether English words of more than 3 letters are cut to their stems by Porter's rules (needs nltk).",
        is_later=True,
    )

    @property
    def default_name(self) -> str:
        return f"rouge{self.variant}" + ("" if self.measure == "f1" else f"_{self.measure}")

    def statistics(self, hypotheses: list[str], references: list[list[str]]) -> Any:
        rows = []
        for hypothesis, texts in zip(hypotheses, references, strict=True):
            found = [self._compared(hypothesis, text) for text in texts]
            rows.append([*max(found, key=lambda one: one[2]), 1.0])
        return np.array(rows, np.float64)

    def from_statistics(self, sums: Any) -> float:
        return 100.0 * float(sums[("precision", "recall", "f1").index(self.measure)]) / float(sums[3])

    def signature(self, references: list[list[str]]) -> str:
        return (
            f"rouge:{self.variant}|measure:{self.measure}|words:{self.words}|case:lc|stem:{'porter' if self.stemming else 'no'}|refs:best"
        )

    def _words(self, text: str) -> list[str]:
        words = WORDS[self.words].findall(text.lower())
        return [stemmer().stem(word) if len(word) > 3 else word for word in words] if self.stemming else words

    def _compared(self, hypothesis: str, reference: str) -> tuple[float, float, float]:
        if self.variant == "Lsum":
            parts, wanted = ([self._words(one) for one in SENTENCE_END.split(text)] for text in (hypothesis, reference))
            same, sizes = union_of_common(parts, wanted), (sum(map(len, parts)), sum(map(len, wanted)))
        elif self.variant == "L":
            ours, theirs = self._words(hypothesis), self._words(reference)
            same = importlib.import_module("rapidfuzz.distance").LCSseq.similarity(ours, theirs)
            sizes = len(ours), len(theirs)
        else:
            left, right = (_grams(self._words(text), int(self.variant)) for text in (hypothesis, reference))
            same, sizes = (left & right).total(), (left.total(), right.total())
        precision, recall = same / max(1, sizes[0]), same / max(1, sizes[1])
        return precision, recall, 2 * precision * recall / (precision + recall) if same else 0.0


def union_of_common(hypothesis: list[list[str]], reference: list[list[str]]) -> int:
    """Words of the reference's sentences in the union of their common subsequences with all sentences of the hypothesis.

    A word counts at most as often as either text has it (Lin 2004, section 4.2, as the package rouge-score does it).
    """
    left = [Counter(word for sentence in text for word in sentence) for text in (hypothesis, reference)]
    same = 0
    for sentence in reference:
        places = set().union(*(common_places(sentence, other) for other in hypothesis)) if hypothesis else set()
        for word in (sentence[place] for place in sorted(places)):
            if left[0][word] > 0 and left[1][word] > 0:
                same += 1
                left[0][word] -= 1
                left[1][word] -= 1
    return same


def common_places(words: list[str], other: list[str]) -> list[int]:
    """Places in `words` of one longest common subsequence; of several the one that the last words of `words` leave first."""
    sizes = np.zeros([len(words) + 1, len(other) + 1], np.int32)
    for i, word in enumerate(words, 1):
        for j, one in enumerate(other, 1):
            sizes[i, j] = sizes[i - 1, j - 1] + 1 if word == one else max(sizes[i - 1, j], sizes[i, j - 1])
    i, j, places = len(words), len(other), []
    while i and j:
        if words[i - 1] == other[j - 1]:
            i, j = i - 1, j - 1
            places.append(i)
        elif sizes[i, j - 1] > sizes[i - 1, j]:
            j -= 1
        else:
            i -= 1
    return places[::-1]


@functools.cache
def stemmer() -> Any:
    """Porter's (1980), with nltk's changes; raises UserError where nltk is missing."""
    try:
        return importlib.import_module("nltk.stem.porter").PorterStemmer()
    except ImportError as error:
        raise UserError("rouge with stemming needs the package nltk", hint="pip install nltk, or stemming: false") from error


def _grams(words: list[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[start:] for start in range(order))))
