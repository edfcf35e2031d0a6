"""Expected utility: pairs of texts as sacrebleu compares them, and the text in the middle of the others."""

import numpy as np
import pytest
import sacrebleu

from seqcfg.decoding.minimum_risk import MinimumRisk, chrf_between

TEXTS = ["ein Mann auf einem Rad", "ein Mann mit Rad", "eine Frau schläft", "", "ab", "ein Mann auf  einem Rad.", "x"]


def test_every_pair_is_compared_as_sacrebleu_does():
    found = chrf_between(TEXTS, 6, 2.0)
    for row, hypothesis in enumerate(TEXTS):
        for column, reference in enumerate(TEXTS):
            if hypothesis and reference:
                assert 100 * found[row, column] == pytest.approx(sacrebleu.sentence_chrf(hypothesis, [reference]).score, abs=1e-6)
    assert not found[3].any()


def test_the_text_in_the_middle_wins_and_probabilities_may_count():
    texts = ["aaaa bbbb", "aaaa bbbc", "aaaa bbcc", "zzzz"]
    order, expected = MinimumRisk().ranked(texts, [-1.0, -2.0, -3.0, -0.1])
    assert order[0] == 1 and order[-1] == 3 and expected == sorted(expected, reverse=True)
    assert MinimumRisk(weights="probability").ranked(texts, [-9.0, -9.0, -9.0, 0.0])[0][0] == 3


def test_alike_texts_keep_their_order():
    assert MinimumRisk().ranked(["a b", "ab"], [-1.0, -2.0]) == ([0, 1], [1.0, 1.0])
    assert np.allclose(chrf_between(["abc"], 6, 2.0), 1.0)
