"""Minimum Bayes risk: of several outputs the one that is most like all the others."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from seqcfg.component.component import Record, param
from seqcfg.component.types import PositiveFloat, PositiveInt
from seqcfg.lazy import np


class MinimumRisk(Record):
    """Ranks the outputs of a search by the mean utility of each against all of them (Eikema & Aziz 2022, arXiv:2108.04718).

    The utility is the chrF of Popovic 2015 between two texts, as sacrebleu computes it for a sentence. Draws from the
    model count alike; outputs of a beam count as probable as the model finds them among one another.
    """

    weights: Literal["equal", "probability"] = param(
        default="equal", doc="How much each output counts: alike (for samples), or by its probability."
    )
    max_order: PositiveInt = param(default=6, doc="Longest runs of characters that are compared.")
    beta: PositiveFloat = param(default=2.0, doc="How many times recall counts as much as precision (dimensionless).")

    def ranked(self, texts: list[str], log_probabilities: list[float]) -> tuple[list[int], list[float]]:
        """The places of the texts, best first, and the expected utility of each, 0 to 1. Equal ones keep their order."""
        if self.weights == "equal":
            weights = np.full([len(texts)], 1.0 / len(texts))
        else:
            weights = np.exp(np.array(log_probabilities) - max(log_probabilities))
            weights = weights / weights.sum()
        expected = chrf_between(texts, self.max_order, self.beta) @ weights
        order = np.argsort(-expected, kind="stable")
        return order.tolist(), expected[order].tolist()


def chrf_between(texts: list[str], max_order: int, beta: float) -> Any:
    """[hypothesis, reference] chrF of every text against every other, 0 to 1; blanks do not count."""
    bare = ["".join(text.split()) for text in texts]
    number = len(bare)
    precision, recall, orders = (np.zeros([number, number]) for _ in range(3))
    for order in range(1, max_order + 1):
        counts = _counts(bare, order)  # [text, different runs]
        totals = counts.sum(axis=1)
        matches = np.stack([np.minimum(counts, one).sum(axis=1) for one in counts], axis=1)  # [hypothesis, reference]
        both = (totals[:, None] > 0) & (totals[None, :] > 0)
        precision += np.where(both, matches / np.maximum(totals, 1)[:, None], 0.0)
        recall += np.where(both, matches / np.maximum(totals, 1)[None, :], 0.0)
        orders += both
    precision, recall = precision / np.maximum(orders, 1), recall / np.maximum(orders, 1)
    below = beta**2 * precision + recall
    return np.where(below > 0, (1 + beta**2) * precision * recall / np.where(below > 0, below, 1.0), 0.0)


def _counts(texts: list[str], order: int) -> Any:
    found = [Counter(text[start : start + order] for start in range(len(text) - order + 1)) for text in texts]
    columns = {run: column for column, run in enumerate(sorted(set().union(*found)))}
    counts = np.zeros([len(texts), len(columns)], np.int32)
    for row, counter in enumerate(found):
        for run, times in counter.items():
            counts[row, columns[run]] = times
    return counts
