"""Searches through a lattice find what brute force over all texts and alignments finds."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END, START
from seqcfg.decoding.best_tokens import FOR_XLA
from seqcfg.decoding.lattice_fusion import FusedLattice
from seqcfg.decoding.transducer_beam import TransducerBeam
from seqcfg.decoding.transducer_greedy import TransducerGreedy
from tests.decoding.lattices import VOCABULARY, TabularLattice, all_texts, inputs_of, log_probability, plain_greedy, tables
from tests.decoding.tabular import TabularPrior, outputs_of

LONGEST = 3
ROWS = [tables(1, frames, seed)[0] for seed, frames in enumerate((4, 2, 3))]
SEARCHES = {"greedy": TransducerGreedy(), "beam": TransducerBeam(width=4, n_best=2), "wide": TransducerBeam(width=30, n_best=3)}


def search(method, rows, one_per_frame=False, size=LONGEST, **named):
    return outputs_of(method(TabularLattice(one_per_frame), inputs_of(rows), size, **named))


def texts_of(found):
    return [[text for _, text in one] for one in found]


@pytest.mark.parametrize("one_per_frame", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_beam_gives_the_best_texts_and_their_probabilities_over_all_alignments(one_per_frame, seed):
    table, texts = tables(1, 3, seed)[0], all_texts(2)
    expected = sorted(((log_probability(table, text, one_per_frame), text) for text in texts), reverse=True)[:3]
    (found,) = search(TransducerBeam(width=len(texts), n_best=3), [table], one_per_frame, size=2)
    assert [text for _, text in found] == [text for _, text in expected]
    np.testing.assert_allclose([score for score, _ in found], [score for score, _ in expected], rtol=1e-5)


@pytest.mark.parametrize("one_per_frame", [False, True])
def test_no_narrow_beam_claims_more_than_a_text_has(one_per_frame):
    for width in (1, 2, 4):
        for row, found in zip(ROWS, search(TransducerBeam(width=width, n_best=width), ROWS, one_per_frame), strict=True):
            assert found
            for score, text in found:
                assert score <= log_probability(row, text, one_per_frame) + 1e-5


@pytest.mark.parametrize("frames_at_once", [1, 2, 8])
@pytest.mark.parametrize(("tokens_per_frame", "one_per_frame"), [(1, False), (2, False), (10, False), (1, True)])
def test_greedy_takes_the_best_arc_of_every_node(frames_at_once, tokens_per_frame, one_per_frame):
    rows = [tables(1, frames, seed, sharpness=3.0)[0] for seed, frames in enumerate((5, 9, 1, 12))]
    method = TransducerGreedy(frames_at_once=frames_at_once, tokens_per_frame=tokens_per_frame)
    found = search(method, rows, one_per_frame, size=6)
    expected = [plain_greedy(row, 6, tokens_per_frame, one_per_frame) for row in rows]
    assert [one[0][1] for one in found] == [text for _, text in expected]
    np.testing.assert_allclose([one[0][0] for one in found], [score for score, _ in expected], rtol=1e-5)
    assert any(len(text) > 1 for _, text in expected)


@pytest.mark.parametrize("method", SEARCHES.values(), ids=SEARCHES)
def test_neighbours_in_a_batch_and_padding_change_no_output(method):
    together = search(method, ROWS)
    for row, found in zip(ROWS, together, strict=True):
        assert_same(search(method, [row]), [found])


@pytest.mark.parametrize("method", SEARCHES.values(), ids=SEARCHES)
def test_a_limit_of_one_sentence_binds_it_alone(method):
    free, bound = search(method, ROWS), search(method, ROWS, limits=[1, LONGEST, LONGEST])
    assert all(len(text) <= 1 for _, text in bound[0])
    assert texts_of(bound[1:]) == texts_of(free[1:])


@pytest.mark.parametrize("method", SEARCHES.values(), ids=SEARCHES)
def test_an_utterance_without_frames_gives_the_empty_text(method):
    inputs = inputs_of(ROWS) | {"table_length": tf.constant([0, 2, 3])}
    found = outputs_of(method(TabularLattice(), inputs, LONGEST))
    assert found[0][0] == (0.0, ())
    assert texts_of(found[1:]) == texts_of(search(method, ROWS)[1:])


@pytest.mark.parametrize("method", SEARCHES.values(), ids=SEARCHES)
def test_what_does_not_fit_the_buffers_is_marked(method):
    rows = [tables(1, 8, 0, sharpness=4.0)[0], ROWS[1]]
    lattice, inputs = TabularLattice(), inputs_of(rows)
    long = method(lattice, inputs, 8, limits=[8, 8])
    assert int(long.lengths[0, 0]) > 2
    short = method(lattice, inputs, 2, limits=[8, 2])
    assert not bool(short.is_over[0])
    assert bool(short.is_over[1])
    assert bool(tf.reduce_all(long.is_over))


def test_graphs_find_what_eager_finds():
    for method in (SEARCHES["greedy"], SEARCHES["beam"]):
        assert_same(compiled(method, xla=False), search(method, ROWS))


@pytest.mark.parametrize("name", ["greedy", pytest.param("beam", marks=pytest.mark.slow)])
def test_xla_finds_what_eager_finds(name):
    assert_same(compiled(SEARCHES[name], xla=True), search(SEARCHES[name], ROWS))


def compiled(method, xla):
    before = FOR_XLA.set(xla)
    try:
        return outputs_of(tf.function(lambda inputs: method(TabularLattice(), inputs, LONGEST), jit_compile=xla)(inputs_of(ROWS)))
    finally:
        FOR_XLA.reset(before)


def assert_same(found, expected):
    assert texts_of(found) == texts_of(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose([score for score, _ in one], [score for score, _ in other], rtol=1e-5)


def test_a_bonus_for_tokens_makes_longer_texts():
    plain, generous = TransducerBeam(width=30), TransducerBeam(width=30, token_bonus=3.0)
    for row in ROWS:
        (short,), (long,) = search(plain, [row]), search(generous, [row])
        best = max(all_texts(LONGEST), key=lambda text: log_probability(row, text) + 3.0 * len(text))
        assert long[0][1] == best
        assert len(best) >= len(short[0][1])


@pytest.mark.parametrize("one_per_frame", [False, True])
def test_a_language_model_adds_its_part_for_each_token_and_the_end(one_per_frame):
    logits = np.random.default_rng(8).normal(size=[VOCABULARY, VOCABULARY])
    table = (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)
    lattice = FusedLattice(TabularLattice(one_per_frame), [TabularPrior(table)], [0.7])
    inputs = inputs_of(ROWS) | {"1.prompt": tf.zeros([len(ROWS), 0], tf.int32)}
    found = outputs_of(TransducerBeam(width=30, n_best=2)(lattice, inputs, 2))
    for row, ours in zip(ROWS, found, strict=True):
        theirs = sorted(((fused(row, table, text, one_per_frame), text) for text in all_texts(2)), reverse=True)[:2]
        assert_same([ours], [theirs])


def fused(row, table, text, one_per_frame):
    prior = sum(table[before, token] for before, token in zip((START, *text), (*text, END), strict=True))
    return log_probability(row, text, one_per_frame) + 0.7 * prior
