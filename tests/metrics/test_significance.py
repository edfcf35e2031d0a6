"""Paired tests and intervals: against sacreBLEU on the same outputs, against exact enumeration, and by their invariances."""

import itertools
import math
import random

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest as TheirTest

from seqcfg.errors import UserError
from seqcfg.metrics import significance
from seqcfg.metrics.bleu import Bleu
from seqcfg.metrics.chrf import Chrf
from seqcfg.metrics.exact_match import ExactMatch
from seqcfg.metrics.significance import bootstrap_interval, paired_bootstrap, paired_randomization


def corpus(lines=120, seed=0):
    """(references, outputs of a good and of a worse system): words replaced at two rates."""
    rng = random.Random(seed)
    words = [f"w{number}" for number in range(30)]
    references = [" ".join(rng.choices(words, k=rng.randint(3, 15))) for _ in range(lines)]

    def spoilt(text, rate):
        return " ".join(rng.choice(words) if rng.random() < rate else word for word in text.split())

    return references, [spoilt(text, 0.2) for text in references], [spoilt(text, 0.24) for text in references]


REFERENCES, GOOD, WORSE = corpus()
SINGLE = [[text] for text in REFERENCES]
METRICS = [
    (Bleu(), BLEU()),
    (Bleu(lowercase=True, tokenize="none"), BLEU(lowercase=True, tokenize="none")),
    (Chrf(word_order=2), CHRF(word_order=2)),
]
IDS = ["bleu", "bleu_none", "chrf++"]


def statistics(metric):
    return metric.statistics(GOOD, SINGLE), metric.statistics(WORSE, SINGLE)


@pytest.mark.parametrize("metric", [Bleu(), Bleu(tokenize="moses"), Chrf(), Chrf(word_order=2), ExactMatch()], ids=lambda m: m.label)
def test_statistics_summed_over_lines_give_the_value_of_the_corpus(metric):
    found = metric.statistics(GOOD, SINGLE)
    assert found.shape[0] == len(GOOD)
    assert metric.from_statistics(found.sum(0)) == pytest.approx(metric.compute(GOOD, SINGLE).value, abs=1e-9)


@pytest.mark.parametrize("ours, theirs", METRICS, ids=IDS)
def test_the_paired_bootstrap_is_that_of_sacrebleu(ours, theirs):
    result = TheirTest([("a", GOOD), ("b", WORSE)], {"m": theirs}, [REFERENCES], test_type="bs", n_samples=500)()[1]
    expected = next(values for name, values in result.items() if name != "System")
    found = paired_bootstrap(*statistics(ours), ours.from_statistics, samples=500)
    assert (found.first, found.second) == pytest.approx((expected[0].score, expected[1].score))
    assert found.p == expected[1].p_value
    interval = bootstrap_interval(statistics(ours)[1], ours.from_statistics, samples=500)
    assert (interval.mean, (interval.high - interval.low) / 2) == pytest.approx((expected[1].mean, expected[1].ci))


@pytest.mark.parametrize("ours, theirs", METRICS, ids=IDS)
def test_randomization_is_that_of_sacrebleu(ours, theirs):
    result = TheirTest([("a", GOOD), ("b", WORSE)], {"m": theirs}, [REFERENCES], test_type="ar", n_samples=600)()[1]
    expected = next(values for name, values in result.items() if name != "System")
    assert paired_randomization(*statistics(ours), ours.from_statistics, trials=600).p == expected[1].p_value


def test_randomization_approaches_the_exact_test_over_all_swaps():
    rng = np.random.default_rng(1)
    first, second = rng.normal(0, 1, (10, 1)), rng.normal(0.6, 1, (10, 1))
    change = (second - first)[:, 0]
    sums = [abs(np.dot(change, signs)) for signs in itertools.product((1, -1), repeat=10)]
    exact = np.mean(np.array(sums) >= abs(change.sum()) - 1e-12)
    found = paired_randomization(first, second, lambda s: float(s[0]), trials=20_000)
    assert found.p == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 20_000))


def test_of_right_and_wrong_lines_randomization_is_the_exact_sign_test():
    """9 lines only the first has right, 2 only the second: two-sided binomial over the 11 that differ (McNemar's exact test)."""
    first, second = np.ones((40, 2)), np.ones((40, 2))
    second[:9, 0], first[9:11, 0] = 0, 0
    exact = 2 * sum(math.comb(11, k) for k in range(3)) / 2**11
    found = paired_randomization(first, second, ExactMatch().from_statistics, trials=20_000)
    assert found.p == pytest.approx(exact, abs=0.008)
    assert found.difference == pytest.approx(-100 * 7 / 40)


def test_the_bootstrap_of_a_mean_has_the_deviation_of_the_mean():
    values = np.random.default_rng(2).normal(10, 3, (400, 1))
    found = bootstrap_interval(np.hstack([values, np.ones_like(values)]), lambda s: s[0] / s[1], samples=4000)
    assert found.deviation == pytest.approx(values.std() / 20, rel=0.05)
    assert found.low == pytest.approx(values.mean() - 1.96 * values.std() / 20, abs=0.03)
    assert found.low < found.value < found.high


def test_a_system_does_not_differ_from_itself():
    good, _ = statistics(Bleu())
    for test in (paired_bootstrap, paired_randomization):
        found = test(good, good, Bleu().from_statistics)
        assert found.p == 1.0 and found.difference == 0 and not found.is_significant()


def test_a_clear_difference_is_significant_and_sides_only_change_its_sign():
    bad = Bleu().statistics([" ".join(reversed(text.split())) for text in GOOD], SINGLE)
    good, score = statistics(Bleu())[0], Bleu().from_statistics
    there, back = paired_randomization(good, bad, score, trials=500), paired_randomization(bad, good, score, trials=500)
    assert there.p == pytest.approx(1 / 501) and there.is_significant()
    assert (there.p, there.difference) == (back.p, -back.difference)
    bootstrap = paired_bootstrap(good, bad, score)
    assert bootstrap.low <= bootstrap.difference <= bootstrap.high < 0


def test_draws_in_blocks_are_the_draws_at_once(monkeypatch):
    pair, score = statistics(Bleu()), Bleu().from_statistics
    whole = paired_bootstrap(*pair, score, samples=200), paired_randomization(*pair, score, trials=200)
    monkeypatch.setattr(significance, "BLOCK", 1)
    assert (paired_bootstrap(*pair, score, samples=200), paired_randomization(*pair, score, trials=200)) == whole


@pytest.mark.parametrize("first, second", [((3, 2), (4, 2)), ((3, 2), (3, 3)), ((0, 2), (0, 2))])
def test_what_does_not_pair_is_refused(first, second):
    with pytest.raises(UserError, match="cannot be paired|nothing to resample"):
        paired_bootstrap(np.ones(first), np.ones(second), lambda s: s[0])
