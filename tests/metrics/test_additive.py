"""Every metric of text follows from sums over lines, as intervals and paired tests need it; sacreBLEU agrees on all of them."""

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest

from seqcfg.component.catalog import load
from seqcfg.metrics.bleu import Bleu
from seqcfg.metrics.chrf import Chrf
from seqcfg.metrics.significance import bootstrap_interval, paired_bootstrap, paired_randomization
from seqcfg.metrics.ter import Ter
from seqcfg.metrics.text_metric import TextMetric

WORDS = ["the", "a", "cat", "dog", "sat", "ran", "on", "mat", "log", "and", "big", "small", "red", ",", "."]


def corpus(seed, lines=60):
    """References, and outputs of two systems that get words wrong, leave words out and swap neighbours."""
    draw = np.random.default_rng(seed)
    references = [" ".join(draw.choice(WORDS, draw.integers(3, 12))) for _ in range(lines)]

    def damage(text, rate):
        words = [draw.choice(WORDS) if draw.random() < rate else word for word in text.split() if draw.random() > rate / 3]
        return " ".join(words[1:] + words[:1] if draw.random() < rate else words)

    return references, [damage(text, 0.15) for text in references], [damage(text, 0.3) for text in references]


REFERENCES, FIRST, SECOND = corpus(1)
LISTS = [[text] for text in REFERENCES]
SACRE = [(Bleu(), BLEU()), (Chrf(word_order=2), CHRF(word_order=2)), (Ter(), TER())]


def plain_metrics():
    """One of each type of metric that needs texts alone, with default settings."""
    return [cls() for cls in load()["metric"].values() if issubclass(cls, TextMetric) and cls.needs == "strings"]


@pytest.mark.parametrize("metric", plain_metrics(), ids=lambda metric: metric.label)
def test_the_value_of_a_corpus_follows_from_sums_over_its_lines(metric):
    hypotheses = FIRST if metric.num_candidates == 1 else [[one, two] for one, two in zip(FIRST, SECOND)]
    statistics = metric.statistics(hypotheses, LISTS)
    assert statistics.shape[0] == len(FIRST) and statistics.dtype == np.float64
    halves = [metric.statistics(hypotheses[part], LISTS[part]).sum(0) for part in (slice(0, 25), slice(25, None))]
    if len(halves[0]) == len(halves[1]) == statistics.shape[1]:
        assert metric.from_statistics(halves[0] + halves[1]) == pytest.approx(metric.compute(hypotheses, LISTS).value)
    assert metric.from_statistics(statistics.sum(0)) == pytest.approx(metric.compute(hypotheses, LISTS).value)
    assert len(metric.line_values(statistics)) == len(FIRST)


@pytest.mark.parametrize("metric", plain_metrics(), ids=lambda metric: metric.label)
def test_perfect_outputs_are_the_best_there_are_and_worse_ones_are_worse(metric):
    wrap = (lambda texts: texts) if metric.num_candidates == 1 else (lambda texts: [[text] for text in texts])
    best, good, bad = (metric.compute(wrap(texts), LISTS).value for texts in (REFERENCES, FIRST, ["zzz"] * len(LISTS)))
    assert best == pytest.approx(0.0 if metric.better == "lower" else 100.0)
    assert (best < good < bad) if metric.better == "lower" else (best > good > bad)


@pytest.mark.parametrize("metric, theirs", SACRE, ids=["bleu", "chrf++", "ter"])
def test_values_and_lines_and_intervals_are_sacrebleu_s(metric, theirs):
    score = theirs.corpus_score(FIRST, [REFERENCES], n_bootstrap=200)
    assert metric.compute(FIRST, LISTS).value == pytest.approx(score.score)
    statistics = metric.statistics(FIRST, LISTS)
    interval = bootstrap_interval(statistics, metric.from_statistics, samples=200)
    assert interval.mean == pytest.approx(score._mean, abs=1e-3)  # sacreBLEU resamples float32 counts
    assert (interval.high - interval.low) / 2 == pytest.approx(score._ci, abs=1e-3)
    single = BLEU(effective_order=True) if isinstance(theirs, BLEU) else theirs
    assert metric.line_values(statistics) == pytest.approx([single.sentence_score(h, [r]).score for h, r in zip(FIRST, REFERENCES)])


@pytest.mark.parametrize("kind, test", [("bs", paired_bootstrap), ("ar", paired_randomization)])
def test_paired_tests_agree_with_sacrebleu_s(kind, test):
    systems = [("first", FIRST), ("second", SECOND)]
    theirs = {
        "BLEU": BLEU(references=[REFERENCES]),
        "chrF2++": CHRF(word_order=2, references=[REFERENCES]),
        "TER": TER(references=[REFERENCES]),
    }
    _, found = PairedTest(systems, theirs, references=None, test_type=kind, n_samples=300)()
    for metric, name in zip([metric for metric, _ in SACRE], theirs):
        statistics = [metric.statistics(texts, LISTS) for texts in (FIRST, SECOND)]
        ours = test(*statistics, metric.from_statistics, **{"samples" if kind == "bs" else "trials": 300})
        assert [ours.first, ours.second] == pytest.approx([result.score for result in found[name]], abs=1e-3)
        assert ours.p == pytest.approx(found[name][1].p_value, abs=1e-4), name


def test_ter_counts_a_shift_as_one_edit():
    assert Ter().compute(["b c d a"], [["a b c d"]]).value == pytest.approx(25.0)
    assert Ter().signature([["x"]]).startswith("nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:")


def test_a_line_with_fewer_references_is_compared_with_those_it_has():
    uneven = [["a b c d", "x"], ["e f g h"]]
    assert Bleu(tokenize="none").compute(["a b c d", "e f g h"], uneven).value == pytest.approx(100.0)
    assert "nrefs:var" in Bleu().signature(uneven)
