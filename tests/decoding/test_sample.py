"""Sampling: frequencies, filters, and that nothing but the line and the seed matters."""

import numpy as np
import tensorflow as tf

from seqcfg.component.reserved_ids import END
from seqcfg.decoding.sample import Sample, mix, uniform
from tests.decoding.tabular import TabularStepper, all_outputs, log_softmax, outputs_of, tables


def run(search, table, max_length, xla=False, **named):
    stepper = TabularStepper(table.shape[-1])
    return tf.function(lambda t: search(stepper, {"table": t}, max_length, **named), jit_compile=xla)(tf.constant(table))


def first_tokens(search, table, number):
    """How often each token comes first in `number` samples of one table [states, vocabulary]."""
    result = run(search, np.repeat(table[None], number, axis=0), 2)
    tokens, lengths = np.asarray(result.tokens)[:, 0, 0], np.asarray(result.lengths)[:, 0]
    return np.bincount(np.where(lengths == 0, END, tokens), minlength=table.shape[-1]) / number


def allowed_probabilities(logits):
    p = np.exp(logits - logits.max())
    p[:END] = 0
    return p / p.sum()


def test_frequencies_match_probabilities():
    table = tables(1, vocabulary=9, seed=1, sharpness=1.0)[0]
    for temperature in (1.0, 0.5):
        wanted = allowed_probabilities(table[2 % 7] / temperature)  # the state after the start id at index 0
        found = first_tokens(Sample(temperature=temperature, seed=3), table, 20000)
        assert np.abs(found - wanted).max() < 5 * np.sqrt(0.25 / 20000)


def test_whole_outputs_are_drawn_as_often_as_they_are_probable():
    table = tables(1, vocabulary=6, seed=2, sharpness=1.0)
    table[..., :END] = -30.0
    result = run(Sample(seed=5), np.repeat(table, 20000, axis=0), 2)
    drawn = [outputs[0][1] for outputs in outputs_of(result)]
    complete = {tokens: np.exp(total) for total, tokens in all_outputs(log_softmax(table[0]), 2, "average", 0.0) if len(tokens) < 2}
    for tokens, probability in complete.items():
        assert abs(drawn.count(tokens) / 20000 - probability) < 5 * np.sqrt(0.25 / 20000)


def test_top_k_and_top_p_keep_the_most_probable_tokens_only():
    table = tables(1, vocabulary=9, seed=3, sharpness=1.0)[0]
    p = allowed_probabilities(table[2])
    order = np.argsort(-p)
    assert set(np.flatnonzero(first_tokens(Sample(top_k=2), table, 3000))) == set(order[:2])
    nucleus = order[: int(np.searchsorted(np.cumsum(p[order]), 0.7)) + 1]
    found = first_tokens(Sample(top_p=0.7), table, 3000)
    assert set(np.flatnonzero(found)) == set(nucleus)
    assert np.abs(found[nucleus] - p[nucleus] / p[nucleus].sum()).max() < 0.05
    assert set(np.flatnonzero(first_tokens(Sample(top_p=0.0), table, 200))) == {order[0]}


def test_min_p_keeps_tokens_at_least_so_many_times_as_probable_as_the_best():
    table = tables(1, vocabulary=12, seed=3, sharpness=1.0)[0]
    p = allowed_probabilities(table[2])
    for least in (0.2, 0.9):
        assert set(np.flatnonzero(first_tokens(Sample(min_p=least), table, 3000))) == set(np.flatnonzero(p >= least * p.max()))


def test_typical_sampling_keeps_the_tokens_whose_information_is_closest_to_the_entropy():
    table = tables(1, vocabulary=12, seed=7, sharpness=1.5)[0]
    p = allowed_probabilities(table[2])
    information = -np.log(np.where(p > 0, p, 1.0))
    order = sorted(np.flatnonzero(p), key=lambda token: abs(information[token] - (p * information).sum()))
    for mass in (0.3, 0.8):
        kept = order[: int(np.searchsorted(np.cumsum(p[order]), mass)) + 1]
        found = first_tokens(Sample(typical_p=mass), table, 3000)
        assert set(np.flatnonzero(found)) == set(kept)
        assert np.abs(found[kept] - p[kept] / p[kept].sum()).max() < 0.05


def test_a_draw_depends_on_seed_and_line_alone():
    table = tables(30, vocabulary=9, seed=4)
    lines = np.arange(100, 130, dtype=np.int32)
    together = outputs_of(run(Sample(n_best=2, seed=1), table, 6, lines=lines))
    backwards = outputs_of(run(Sample(n_best=2, seed=1), table[::-1], 6, lines=lines[::-1]))
    assert backwards[::-1] == together
    assert outputs_of(run(Sample(n_best=2, seed=1), table[7:9], 6, lines=lines[7:9])) == together[7:9]
    assert outputs_of(run(Sample(n_best=2, seed=2), table, 6, lines=lines)) != together
    assert outputs_of(run(Sample(n_best=2, seed=1), table, 6, lines=lines + 1)) != together


def test_equal_sentences_on_different_lines_differ_and_samples_come_best_first():
    result = run(Sample(n_best=4), np.repeat(tables(1, vocabulary=12, seed=5, sharpness=0.5), 8, axis=0), 6)
    outputs = outputs_of(result)
    assert len({tuple(tokens for _, tokens in one) for one in outputs}) == 8
    assert all([s for s, _ in one] == sorted((s for s, _ in one), reverse=True) for one in outputs)


def test_xla_draws_the_same():
    table = tables(20, vocabulary=40, seed=6)
    for search in (Sample(top_k=5, n_best=2), Sample(temperature=0.7)):
        plain, compiled = (outputs_of(run(search, table, 6, xla=xla)) for xla in (False, True))
        assert [[t for _, t in one] for one in plain] == [[t for _, t in one] for one in compiled]


def test_uniform_numbers_are_spread_evenly_and_never_touch_their_ends():
    numbers = np.asarray(uniform(tf.cast(tf.range(200000), tf.uint32)))
    assert numbers.min() > 0 and numbers.max() < 1
    assert np.abs(np.histogram(numbers, 20, (0, 1))[0] / 10000 - 1).max() < 0.05
    ends = np.asarray(uniform(tf.constant([0, 2**32 - 1], tf.uint32)))
    assert (ends > 0).all() and (ends < 1).all()
    assert len(set(np.asarray(mix(tf.cast(tf.range(1000), tf.uint32))).tolist())) == 1000
