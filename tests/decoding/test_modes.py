"""Every way of decoding, run step by step, as a graph and compiled: the same outputs; and `score` says of them what `decode` said."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import NUM_RESERVED
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.contrastive import Contrastive
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.demands import Demand
from seqcfg.decoding.greedy import Greedy
from seqcfg.decoding.lexicon import Lexicon
from seqcfg.decoding.lingvo_beam import LingvoBeam
from seqcfg.decoding.member import Member
from seqcfg.decoding.minimum_risk import MinimumRisk
from seqcfg.decoding.noisy_channel import NoisyChannel
from seqcfg.decoding.sample import Sample
from seqcfg.decoding.scoring import Scorer
from seqcfg.decoding.settings import Decoding, Ensemble, Fusion, LengthFloor
from seqcfg.decoding.shortlist import Shortlist
from tests.decoding.test_scoring import Letters
from tests.tasks.small_models import VOCABULARY, declared, language_modeling, translation, weights_of

SOURCES = ["abc", "h", "deafbead", "", "cafe", "gg", "abcdefg", "bad"]
DEMANDS = [Demand("ab"), Demand(), Demand(phrases=("cd", "e")), Demand(), Demand("h", ("gg",)), Demand(), Demand(), Demand()]


class Spelt(Letters):
    """As Letters; the last two stand for texts that others write, too."""

    def spellings(self):
        return [b"", b"", b"", b"", b"a", b"b", b"c", b"d", b"e", b"f", b"ab", b"ba"]


CODECS = {"all": Spelt()}


def member(task, role, seed, weight=1.0):
    weights = {path: value / 3.0 for path, value in weights_of(task, seed).items()}
    return Member(task, declared(task), weights, CODECS, "float32", role, weight)


ANOTHER, PRIOR = member(translation(), "model", 5), member(language_modeling(), "prior", 6, 0.4)
BACK, JUDGE = member(translation(untied=True), "channel", 7), member(language_modeling(), "channel_prior", 6)
WIDE = Beam(width=4, n_best=3, length_penalty=0.7)
CASES = {
    "greedy": {"search": Greedy()},
    "beam": {"search": WIDE},
    "lingvo": {"search": LingvoBeam(width=4, n_best=2)},
    "likely": {"search": Beam(width=4, n_best=2, stop="likely", formula="gnmt")},
    "groups": {"search": Beam(width=4, n_best=3, num_groups=2, diversity=0.7)},
    "coverage": {"search": Beam(width=4, n_best=2, coverage_penalty=0.4, formula="gnmt")},
    "merged": {"search": Beam(width=4, n_best=2, merge="best")},
    "summed": {"search": Beam(width=4, n_best=2, merge="sum")},
    "sample": {"search": Sample(n_best=3, temperature=0.8, top_k=6, seed=4)},
    "nucleus": {"search": Sample(n_best=2, top_p=0.8, min_p=0.05, typical_p=0.9, seed=4)},
    "contrastive": {"search": Contrastive(top_k=3)},
    "rules": {"search": WIDE, "distinct_ngrams": 2, "length_floor": LengthFloor(ratio=0.5)},
    "shortlist": {"search": WIDE, "shortlist": Shortlist(frequent=2, per_token=1)},
    "ensemble": {"search": WIDE, "ensemble": Ensemble(runs=["another"])},
    "fusion": {"search": WIDE, "fusion": Fusion(run="prior")},
    "sampled ensemble": {"search": Sample(n_best=2, seed=3), "ensemble": Ensemble(runs=["another"], average="log_probabilities")},
    "noisy channel": {"search": WIDE, "noisy_channel": NoisyChannel(run="back", language_model="prior")},
    "minimum risk": {"search": Sample(n_best=4, seed=2), "minimum_risk": MinimumRisk()},
}
PARTNERS = {"ensemble": [ANOTHER], "sampled ensemble": [ANOTHER], "fusion": [PRIOR], "noisy channel": [BACK, JUDGE]}
OTHERWISE = {"shortlist", "summed"}  # their probabilities are not those of one output among all


def lexicon():
    translations = np.random.default_rng(1).integers(NUM_RESERVED, VOCABULARY, [VOCABULARY, 2]).astype(np.int32)
    return Lexicon(translations, np.ones([VOCABULARY, 2], np.float32), np.arange(VOCABULARY - 1, NUM_RESERVED, -1, dtype=np.int32), "x")


def parts(name, xla="never", batch_size=3):
    task = translation()
    settings = Decoding(**{"max_length": 7, "batch_size": batch_size, "xla": xla} | CASES[name])
    return (*member(task, "model", 3)[:4], settings, "float32", PARTNERS.get(name, []))


@contextlib.contextmanager
def eagerly():
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def decoded(name, *way):
    return Decoder(*parts(name, *way), lexicon()).decode(SOURCES, demands=DEMANDS if name == "rules" else None)


def assert_same(found, wanted):
    assert [one.texts for one in found] == [one.texts for one in wanted] and [one.ids for one in found] == [one.ids for one in wanted]
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours.scores, theirs.scores, rtol=2e-5, atol=2e-5)
        np.testing.assert_allclose(ours.log_probabilities, theirs.log_probabilities, rtol=2e-5, atol=2e-5)


def slow_but(*fast):
    """All cases, of which these are not slow."""
    return [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in CASES if name not in OTHERWISE]


@pytest.mark.parametrize("name", [*slow_but("groups"), *(pytest.param(name, marks=pytest.mark.slow) for name in sorted(OTHERWISE))])
def test_eager_graph_and_xla_give_the_same_outputs(name):
    graph = decoded(name)
    assert len({one.text for one in graph}) > 1
    assert_same(decoded(name, "always", 8), graph)  # one shape, and so one compilation
    with eagerly():
        assert_same(decoded(name, "never", 8), graph)
    if not isinstance(CASES[name]["search"], Sample) and name != "rules":  # whose draws and demands belong to their line
        backwards = Decoder(*parts(name), lexicon()).decode(SOURCES[::-1])
        assert_same(backwards[::-1], graph)


@pytest.mark.parametrize("name", slow_but("groups", "sample", "rules", "fusion"))
def test_a_score_is_what_decode_said(name):
    *_, settings, _, partners = parts(name)
    rows = [
        (source, text, score, total)
        for source, one in zip(SOURCES, decoded(name), strict=True)
        if source
        for text, score, total in zip(one.texts, one.scores, one.log_probabilities, strict=True)
    ]
    scored = Scorer(*parts(name)).score([row[0] for row in rows], [row[1] for row in rows])
    np.testing.assert_allclose([one.log_probability for one in scored], [row[3] for row in rows], rtol=0, atol=1e-4)
    if not settings.noisy_channel and not settings.minimum_risk:  # those rank by what other texts and models say
        np.testing.assert_allclose([one.score for one in scored], [row[2] for row in rows], rtol=0, atol=1e-4)


def test_a_text_of_summed_paths_is_at_least_as_probable_as_one_of_them():
    found = decoded("summed")
    pairs = [(source, text) for source, one in zip(SOURCES, found, strict=True) if source for text in one.texts]
    scored = Scorer(*parts("summed")).score([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    totals = [total for source, one in zip(SOURCES, found, strict=True) if source for total in one.log_probabilities]
    assert all(total >= one.log_probability - 1e-4 for total, one in zip(totals, scored, strict=True))
