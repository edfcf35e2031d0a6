"""Beam search against enumeration of all outputs, and against a beam written without tensors."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END, NUM_RESERVED, START
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.greedy import Greedy
from seqcfg.decoding.lingvo_beam import LingvoBeam
from tests.decoding.tabular import (
    STATES,
    Attentive,
    TabularStepper,
    all_outputs,
    allowed,
    log_probability,
    log_softmax,
    next_state,
    outputs_of,
    plain_beam,
    tables,
)

PENALTIES = [("average", 0.0), ("average", 1.0), ("gnmt", 0.6), ("lingvo", 0.5), ("average", 2.0)]


def run(search, table, max_length, xla=False, **named):
    stepper = TabularStepper(table.shape[-1])

    @tf.function(jit_compile=xla, input_signature=[tf.TensorSpec([None, *table.shape[1:]])])
    def call(table):
        return search(stepper, {"table": table}, max_length, **named)

    return call(tf.constant(table))


def assert_same(found, wanted):
    assert [[tokens for _, tokens in outputs] for outputs in found] == [[tokens for _, tokens in outputs] for outputs in wanted]
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose([s for s, _ in ours], [s for s, _ in theirs], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("formula, exponent", PENALTIES)
def test_a_beam_as_wide_as_all_outputs_finds_the_best_of_them_in_order(formula, exponent):
    table = tables(200, vocabulary=6, seed=1)
    found = outputs_of(run(Beam(width=48, n_best=7, formula=formula, length_penalty=exponent), table, 4))
    assert_same(found, [all_outputs(log_softmax(one), 4, formula, exponent)[:7] for one in table])


def test_a_full_beam_is_exact_with_unknown_ids_and_a_minimum_length():
    table = tables(100, vocabulary=6, seed=2)
    beam = Beam(width=81, n_best=3, min_length=2, allow_unknown=True)
    wanted = [all_outputs(log_softmax(one), 3, "average", 1.0, shortest=2, with_unknown=True)[:3] for one in table]
    assert_same(outputs_of(run(beam, table, 3)), wanted)


@pytest.mark.parametrize(
    "beam",
    [
        Beam(width=1, stop="likely"),
        Beam(width=1),
        Beam(width=2, n_best=2),
        Beam(width=3, n_best=2, formula="gnmt", length_penalty=0.6),
        Beam(width=3, n_best=3, stop="likely"),
        Beam(width=2, end_among="hypothesis", eos_margin=1.0, formula="lingvo", length_penalty=0.5),
        Beam(width=2, end_among="hypothesis", eos_margin=5.0, prune_margin=3.0, formula="lingvo", length_penalty=0.5),
        Beam(width=3, min_length=2, allow_unknown=True),
        Beam(width=2, length_penalty=0.0),
        Beam(width=3, n_best=2, stop="full"),
        LingvoBeam(width=3, n_best=2),
    ],
    ids=str,
)
def test_early_stopping_and_tensors_change_nothing_against_a_plain_beam_without_them(beam):
    table = tables(300, vocabulary=8, seed=3)
    assert_same(outputs_of(run(beam, table, 5)), [plain_beam(log_softmax(one), 5, beam) for one in table])


def test_scores_are_the_model_s_own_log_probabilities_over_the_penalty():
    table = tables(50, vocabulary=7, seed=4)
    result = run(Beam(width=4, n_best=4, length_penalty=1.0), table, 5)
    for row, outputs in enumerate(outputs_of(result)):
        for place, (score, tokens) in enumerate(outputs):
            total = log_probability(log_softmax(table[row]), tokens)
            assert float(result.log_probabilities[row, place]) == pytest.approx(total, abs=1e-4)
            assert score == pytest.approx(total / (len(tokens) + 1), abs=1e-4)
        assert [s for s, _ in outputs] == sorted((s for s, _ in outputs), reverse=True)
        assert len({tokens for _, tokens in outputs}) == len(outputs)


def test_a_greedy_output_is_at_least_as_long_as_it_must_be_and_takes_the_best_word_until_then():
    table = tables(60, vocabulary=7, seed=8)
    table[:, :, END] += 3.0  # outputs want to end at once
    assert {len(tokens) for [(_, tokens)] in outputs_of(run(Greedy(), table, 5))} > {0}
    for one, [(score, tokens)] in zip(log_softmax(table), outputs_of(run(Greedy(min_length=3), table, 5)), strict=True):
        found, state, fed = [], 0, START
        while len(found) < 5:
            state = next_state(state, fed, len(found))
            fed = max([*allowed(7), *([END] if len(found) >= 3 else [])], key=lambda token, at=one[state]: at[token])
            if fed == END:
                break
            found.append(fed)
        assert tokens == tuple(found)
        assert score == pytest.approx(log_probability(one, tokens), abs=1e-4)


@pytest.mark.parametrize("search", [Beam(width=3, n_best=2), Greedy()], ids=["beam", "greedy"])
def test_neighbours_order_and_graph_mode_never_change_an_output(search):
    table = tables(40, vocabulary=9, seed=5)
    limits = np.random.default_rng(6).integers(0, 6, len(table)).astype(np.int32)
    together = outputs_of(run(search, table, 6, limits=limits))
    order = np.random.default_rng(7).permutation(len(table))
    shuffled = outputs_of(run(search, table[order], 6, limits=limits[order]))
    assert [shuffled[i] for i in np.argsort(order)] == together
    eager = outputs_of(search(TabularStepper(9), {"table": table[:1]}, 7, limits=limits[:1]))
    alone = [outputs_of(run(search, table[i : i + 1], 7, limits=limits[i : i + 1]))[0] for i in (1, 2)]
    assert_same([*eager, *alone], together[:3])


@pytest.mark.parametrize("search", [Beam(width=3, n_best=2), Greedy()], ids=["beam", "greedy"])
def test_xla_and_graph_agree(search):
    table = tables(30, vocabulary=50, seed=8)
    assert_same(outputs_of(run(search, table, 8, xla=True)), outputs_of(run(search, table, 8)))


def test_greedy_is_a_beam_of_width_one_on_plain_log_probabilities():
    table = tables(300, vocabulary=7, seed=9)
    for unknown in (False, True):
        beam = Beam(width=1, length_penalty=0.0, allow_unknown=unknown)
        assert_same(outputs_of(run(Greedy(allow_unknown=unknown), table, 5)), outputs_of(run(beam, table, 5)))


@pytest.mark.parametrize("search", [Beam(width=4, n_best=4), Greedy()], ids=["beam", "greedy"])
def test_reserved_ids_never_appear_and_limits_hold(search):
    table = tables(100, vocabulary=8, seed=10)
    table[..., :END] += 20.0  # the model would love to produce padding, unknown and start ids
    limits = np.arange(100, dtype=np.int32) % 5
    result = run(search, table, 6, limits=limits)
    for limit, outputs in zip(limits, outputs_of(result), strict=True):
        assert all(len(tokens) <= limit and min(tokens, default=NUM_RESERVED) >= NUM_RESERVED for _, tokens in outputs)
    beyond = np.arange(6) >= np.asarray(result.lengths)[..., None]
    assert not np.asarray(result.tokens)[beyond].any()


def test_a_limit_of_zero_gives_the_empty_output():
    result = run(Beam(width=3, n_best=2), tables(4, vocabulary=6), 3, limits=np.zeros(4, np.int32))
    assert [[tokens for _, tokens in outputs] for outputs in outputs_of(result)] == [[()]] * 4


def test_more_outputs_than_hypotheses_are_refused():
    assert [field for field, _, _ in Beam(width=2, n_best=3).check()] == ["n_best"]


@pytest.mark.parametrize("search", [Beam(width=3, length_penalty=0.2), Beam(width=3, n_best=2, stop="likely"), Greedy()], ids=str)
def test_what_is_over_in_short_buffers_is_the_result_of_long_ones(search):
    table = tables(200, vocabulary=9, seed=11)
    limits = np.full(200, 9, np.int32)
    short, long = run(search, table, 4, limits=limits), run(search, table, 9, limits=limits)
    is_over = np.asarray(short.is_over)
    assert np.asarray(long.is_over).all() and 10 < is_over.sum() < 190
    both = [(ours, theirs) for ours, theirs, over in zip(outputs_of(short), outputs_of(long), is_over, strict=True) if over]
    assert_same([ours for ours, _ in both], [theirs for _, theirs in both])


@pytest.mark.parametrize("formula, cap", [("gnmt", 1.0), ("lingvo", 0.5), ("average", 1.0)])
def test_coverage_is_that_of_the_real_source_positions(formula, cap):
    table, number = tables(60, vocabulary=6, seed=12), 60
    is_real = np.arange(3) < np.array([2, 3] * 30)[:, None]
    look = np.random.default_rng(13).dirichlet([0.3] * 3, [number, STATES]).astype(np.float32) * is_real[:, None]
    inputs = {"table": table, "look": look, "is_real": is_real}
    beam = Beam(width=20, n_best=3, formula=formula, length_penalty=0.7, coverage_penalty=0.6)
    found = outputs_of(tf.function(lambda given: beam(Attentive(6), given, 4), autograph=False)(inputs))
    wanted = []
    for row in range(number):
        outputs = []
        for score, tokens in all_outputs(log_softmax(table[row]), 4, formula, 0.7):
            state, got = 0, np.zeros(3)
            for index, token in enumerate((START, *tokens)):
                state = next_state(state, token, index)
                got += look[row, state]
            outputs.append((score + 0.6 * np.log(np.clip(got, 0.001, cap))[is_real[row]].sum(), tokens))
        wanted.append(sorted(outputs, reverse=True)[:3])
    assert_same(found, wanted)


def plain_groups(table, longest, beam):
    """Diverse beam search in lists, one sentence, without early stopping."""
    size = beam.width // beam.num_groups
    alive, finished = [[(0.0, (), 0)] for _ in range(beam.num_groups)], {}
    for index in range(longest + 1):
        continuations, taken, after = [], [], []
        for group in alive:
            for total, tokens, state in group:
                new = next_state(state, (START, *tokens)[-1], index)
                choices = [END] if index == longest else [END, *range(NUM_RESERVED, table.shape[-1])]
                continuations.append([(total + table[new, token], tokens, token, new) for token in choices])
        flat = sorted((c[0] for one in continuations for c in one), reverse=True)
        for total, tokens, token, _ in (c for one in continuations for c in one):
            if token == END and total >= flat[: beam.width][-1]:
                finished[tokens] = total / (len(tokens) + 1)
        rest = iter(continuations)
        for group in alive:
            mine = [c for _ in group for c in next(rest) if c[2] != END]
            mine.sort(key=lambda c: -(c[0] - beam.diversity * taken.count(c[2])))
            after.append([(total, (*tokens, token), new) for total, tokens, token, new in mine[:size]])
            taken += [tokens[-1] for _, tokens, _ in after[-1]]
        alive = after
    return sorted(((score, tokens) for tokens, score in finished.items()), reverse=True)[: beam.n_best]


@pytest.mark.parametrize(
    "beam", [Beam(width=4, num_groups=2, n_best=3, diversity=0.8), Beam(width=6, num_groups=3, n_best=2, diversity=2.0)], ids=str
)
def test_groups_are_those_of_a_plain_diverse_beam(beam):
    table = tables(100, vocabulary=8, seed=14)
    assert_same(outputs_of(run(beam, table, 4)), [plain_groups(log_softmax(one), 4, beam) for one in table])


def test_groups_that_pay_nothing_are_one_narrow_beam():
    table = tables(100, vocabulary=8, seed=15)
    assert_same(
        outputs_of(run(Beam(width=6, num_groups=2, diversity=0.0, n_best=3), table, 5)), outputs_of(run(Beam(width=3, n_best=3), table, 5))
    )
    assert [field for field, _, _ in Beam(width=5, num_groups=2).check()] == ["num_groups"]
