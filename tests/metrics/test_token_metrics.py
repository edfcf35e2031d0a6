"""Measures of the references' tokens, from scores that are written down."""

import math

import pytest

from seqcfg.metrics.perplexity import Perplexity
from seqcfg.metrics.token_accuracy import TokenAccuracy


class Scored:
    def __init__(self, log_probability, length, num_best):
        self.log_probability, self.ids, self.num_best = log_probability, [5] * length, num_best


SCORED = [Scored(-4.0, 4, 3), Scored(-2.0, 2, 0)]
TEXTS = ["a b c", "é"]


def test_perplexity_of_lines_adds_up_to_that_of_the_corpus():
    per = {"token": 6 / 6, "word": 6 / 6, "byte": 6 / 9}  # nats / units, an end of line counting as a word and as a byte
    for unit, mean in per.items():
        metric = Perplexity(per=unit)
        statistics = metric.statistics(SCORED, TEXTS)
        assert metric.from_statistics(statistics.sum(0)) == pytest.approx(math.exp(mean)), unit
        counts = {"tokens": 6, "words": 6, "bytes": 9}
        assert metric.from_means({"nll": 1.0}, counts).value == pytest.approx(metric.from_statistics(statistics.sum(0)))
    assert Perplexity().line_values(Perplexity().statistics(SCORED, TEXTS)) == pytest.approx([math.e, math.e])


def test_token_accuracy_counts_first_choices():
    metric = TokenAccuracy()
    statistics = metric.statistics(SCORED, [[text] for text in TEXTS])
    assert metric.score(statistics, []).value == pytest.approx(50.0)
    assert metric.line_values(statistics) == [75.0, 0.0] and metric.details(statistics.sum(0)) == {"right": 3, "tokens": 6}
