"""Rules against enumeration: among all outputs that keep them, a beam as wide as all of them finds the best."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.greedy import Greedy
from seqcfg.decoding.rules import Ruled
from seqcfg.decoding.sample import Sample
from tests.decoding.tabular import TabularStepper, all_outputs, log_softmax, outputs_of, tables

LONGEST = 5


def run(search, table, rules, ngrams=None, xla=False, longest=LONGEST):
    stepper = Ruled(TabularStepper(table.shape[-1]), ngrams, "rule_phrases" in rules)
    inputs = {"table": tf.constant(table)} | {name: tf.constant(value, tf.int32) for name, value in rules.items()}
    return outputs_of(tf.function(lambda given: search(stepper, given, longest), jit_compile=xla, autograph=False)(inputs))


def best(table, keeps, count, longest=LONGEST):
    return [
        [pair for pair in all_outputs(log_softmax(one), longest, "average", 1.0) if keeps(pair[1], row)][:count]
        for row, one in enumerate(table)
    ]


def assert_same(found, wanted):
    assert [[tokens for _, tokens in one] for one in found] == [[tokens for _, tokens in one] for one in wanted]
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose([s for s, _ in ours], [s for s, _ in theirs], rtol=2e-5, atol=2e-5)


def has_distinct(tokens, size):
    runs = [tokens[i : i + size] for i in range(len(tokens) - size + 1)]
    return len(set(runs)) == len(runs)


def contains(tokens, phrase):
    return any(tokens[i : i + len(phrase)] == phrase for i in range(len(tokens) - len(phrase) + 1))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_run_of_tokens_occurs_twice(size):
    table = tables(150, vocabulary=6, seed=size)
    table[:, :, END] -= 3.0  # long outputs
    found = run(Beam(width=40, n_best=3), table, {}, size)
    assert_same(found, best(table, lambda tokens, _: has_distinct(tokens, size), 3))


def test_a_floor_is_each_sentence_s_own():
    table, floors = tables(100, vocabulary=6, seed=4), np.arange(100) % 5
    assert_same(
        run(Beam(width=40, n_best=2), table, {"rule_floor": floors}), best(table, lambda tokens, row: len(tokens) >= floors[row], 2)
    )


def test_outputs_begin_with_their_prefix_and_cost_what_the_model_says():
    table = tables(100, vocabulary=6, seed=5)
    prefixes = [(), (4,), (5, 4), (4, 4, 5)] * 25
    rules = {
        "rule_prefix": [[*prefix, 0, 0, 0][:3] for prefix in prefixes],
        "rule_prefix_length": [len(prefix) for prefix in prefixes],
    }
    wanted = best(table, lambda tokens, row: tokens[: len(prefixes[row])] == prefixes[row], 2)
    assert_same(run(Beam(width=40, n_best=2), table, rules), wanted)
    for search in (Greedy(), Sample(seed=3), Beam(width=2)):
        for one, prefix in zip(run(search, table, rules, 2), prefixes, strict=True):
            assert one[0][1][: len(prefix)] == prefix


PAIRS = [((4, 5), (6, 7)), ((7,), ()), ((5,), (6,)), ((), ()), ((6, 4, 5), ())]


def with_phrases(number, longest=LONGEST):
    chosen = [PAIRS[row % len(PAIRS)] for row in range(number)]
    return chosen, {
        "rule_phrases": [[[*phrase, 0, 0, 0][:3] for phrase in pair] for pair in chosen],
        "rule_phrases_length": [[len(phrase) for phrase in pair] for pair in chosen],
        "rule_phrases_limit": [longest] * number,
    }


def test_a_full_beam_finds_the_best_output_that_contains_all_phrases():
    table = tables(40, vocabulary=8, seed=6)
    chosen, rules = with_phrases(40, 4)
    wanted = best(table, lambda tokens, row: all(contains(tokens, phrase) for phrase in chosen[row] if phrase), 2, 4)
    assert_same(run(Beam(width=320, n_best=2), table, rules, longest=4), wanted)


@pytest.mark.parametrize("search", [Beam(width=3), Beam(width=1), Greedy(), Sample(seed=1, n_best=2)], ids=str)
def test_every_search_writes_the_phrases_even_at_the_limit(search):
    table = tables(60, vocabulary=8, seed=7)
    table[:, :, END] += 2.0
    chosen, rules = with_phrases(60)
    for one, pair in zip(run(search, table, rules), chosen, strict=True):
        assert all(contains(tokens, phrase) for _, tokens in one for phrase in pair if phrase) and one


def test_sharing_out_the_beam_finds_better_outputs_than_waiting_for_the_limit():
    table = tables(200, vocabulary=12, seed=8)
    rules = {"rule_phrases": [[[4, 5, 6]]] * 200, "rule_phrases_length": [[3]] * 200, "rule_phrases_limit": [8] * 200}
    shared = run(Beam(width=4), table, rules, longest=8)
    stepper = Ruled(TabularStepper(12), None, True)
    del stepper.wanted
    inputs = {"table": tf.constant(table)} | {name: tf.constant(value, tf.int32) for name, value in rules.items()}
    late = outputs_of(Beam(width=4)(stepper, inputs, 8))
    assert np.mean([one[0][0] for one in shared]) > np.mean([one[0][0] for one in late])


def test_xla_and_order_change_nothing():
    table = tables(20, vocabulary=8, seed=9)
    _, rules = with_phrases(20)
    rules |= {"rule_floor": np.arange(20) % 4}
    plain = run(Beam(width=3, n_best=2), table, rules, 2)
    assert_same(run(Beam(width=3, n_best=2), table, rules, 2, xla=True), plain)
    backwards = run(Beam(width=3, n_best=2), table[::-1], {name: np.asarray(value)[::-1] for name, value in rules.items()}, 2)
    assert_same(backwards[::-1], plain)
