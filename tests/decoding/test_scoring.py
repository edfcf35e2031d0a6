"""Scores of given pairs are those that a search reports for what it found."""

import numpy as np
import pytest

from seqcfg.component.reserved_ids import END, NUM_RESERVED
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.contrastive import Contrastive
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.greedy import Greedy
from seqcfg.decoding.scoring import Scorer
from seqcfg.decoding.settings import Decoding
from seqcfg.errors import UserError
from tests.tasks.small_models import VOCABULARY, declared, language_modeling, translation, weights_of


class Letters:
    """One id per letter of abcdefgh."""

    vocabulary = VOCABULARY

    def encode(self, texts):
        return [[ord(c) - ord("a") + NUM_RESERVED for c in text] for text in texts]

    def decode(self, ids):
        return ["".join(chr(i - NUM_RESERVED + ord("a")) for i in row if i > END) for row in ids]


CODECS = {"all": Letters()}
SOURCES = ["abc", "h", "deafbead", "cafe", "gg", "abcdefgh", "", "bad"]


def of(kind, task, **settings):
    named = {"max_length": 6, "batch_size": 3, "xla": "never", "search": Beam(width=4, n_best=3, length_penalty=0.7)} | settings
    weights = {path: value / 3.0 for path, value in weights_of(task).items()}  # logits of some nats, not of hundreds
    return kind(task, declared(task), weights, CODECS, Decoding(**named))


@pytest.mark.parametrize("task", [translation(), translation(untied=True), language_modeling()], ids=["tied", "untied", "language model"])
@pytest.mark.parametrize(
    "search",
    [Beam(width=4, n_best=3, length_penalty=0.7, formula="gnmt"), Greedy(), Contrastive(top_k=3)],
    ids=["beam", "greedy", "contrastive"],
)
def test_what_a_search_found_scores_as_the_search_says(task, search):
    sources = [source for source in SOURCES if source]
    decoded = of(Decoder, task, search=search, max_length=20).decode(sources)
    pairs = [
        (source, text, score, total)
        for source, one in zip(sources, decoded, strict=True)
        for text, score, total in zip(*one[:3], strict=True)
    ]
    found = of(Scorer, task, search=search).score([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    np.testing.assert_allclose([one.score for one in found], [pair[2] for pair in pairs], rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose([one.log_probability for one in found], [pair[3] for pair in pairs], rtol=1e-6, atol=1e-4)


def test_neighbours_and_order_do_not_matter_and_ids_end_with_the_end_id(monkeypatch):
    targets = ["gab", "", "a", "hhhhhhhh", "fad", "c", "bed", "de"]
    scorer = of(Scorer, translation())
    together = scorer.score(SOURCES, targets)
    monkeypatch.setattr("seqcfg.decoding.scoring.MAX_TOKENS", 1)
    seen = []
    for ours, theirs in zip(scorer.score(SOURCES[::-1], targets[::-1], seen.append)[::-1], together, strict=True):
        assert ours.ids == theirs.ids and ours.ids[-1] == END
        np.testing.assert_allclose(ours.log_probabilities, theirs.log_probabilities, atol=1e-5)
    assert seen == list(range(1, 9))
    assert [len(one.ids) for one in together] == [len(target) + 1 for target in targets]


def test_probabilities_of_all_continuations_sum_to_one():
    scorer = of(Scorer, translation())
    endings = scorer.score(["abc"] * 9, ["fa" + letter for letter in "abcdefgh"] + ["fa"])
    assert len({one.ids[2] for one in endings}) == 9
    assert 0 < sum(np.exp(one.log_probabilities[2]) for one in endings) < 1  # three reserved ids have the rest
    assert len({round(one.log_probabilities[0], 5) for one in endings}) == 1


def test_a_prompt_costs_nothing_and_the_rest_is_scored():
    scorer = of(Scorer, language_modeling())
    whole, given, other = scorer.score(["", "ab", "ah"], ["abcd"] * 3)
    assert given.log_probabilities[:2] == [0, 0]
    np.testing.assert_allclose(given.log_probabilities[2:], whole.log_probabilities[2:], atol=1e-5)
    assert other.log_probabilities[0] == 0 and other.log_probabilities[1] < 0


def test_long_sources_are_cut_and_counted():
    scorer = of(Scorer, translation(), max_source_length=3)
    scorer.score(SOURCES, ["a"] * len(SOURCES))
    assert scorer.num_cut == 5


def test_sides_of_different_length_are_refused():
    with pytest.raises(UserError, match="2 sources and 1 targets"):
        of(Scorer, translation()).score(["a", "b"], ["a"])
