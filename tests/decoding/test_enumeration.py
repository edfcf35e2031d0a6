"""Every search option against the list of all outputs: random models with a vocabulary of 4 words, outputs of up to 5.

All models are searched in one batch, and their outputs are enumerated as one array, so thousands of them are tried. What is
claimed holds for beams that keep every hypothesis; in plain graphs, in XLA and step by step alike.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END, NUM_RESERVED, START, UNKNOWN
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.greedy import Greedy
from seqcfg.decoding.rules import Ruled
from tests.decoding.tabular import STATES, TabularStepper, tables

WORDS = 4
VOCABULARY = NUM_RESERVED + WORDS
PENALTIES = [("average", 0.0), ("average", 1.0), ("gnmt", 0.6), ("lingvo", 0.5), ("average", 2.0)]


class Outputs:
    """All outputs of up to `longest` words, with their scores in every model: tokens is a list, totals [models, outputs]."""

    def __init__(self, table, longest, words=range(NUM_RESERVED, VOCABULARY)):
        table = table.astype(np.float64)
        table = table - np.log(np.exp(table).sum(-1, keepdims=True))  # [models, states, vocabulary]
        self.tokens = [row for length in range(longest + 1) for row in itertools.product(words, repeat=length)]
        self.lengths = np.array([len(row) for row in self.tokens])
        self.totals = np.zeros([len(table), len(self.tokens)])
        self.states = np.zeros([len(self.tokens), longest + 1], int)  # those that were visited
        for place, row in enumerate(self.tokens):
            state, fed = 0, (START, *row)
            for index, following in enumerate((*row, END)):
                state = (3 * state + fed[index] + index) % STATES
                self.states[place, index] = state
                self.totals[:, place] += table[:, state, following]

    def best(self, formula, exponent, count=1, extra=0.0, may=None):
        """(scores, places) [models, count] of the best outputs; `may` [outputs] or [models, outputs] says which are allowed."""
        length = self.lengths + 1
        divisor = {"average": length, "gnmt": (5 + length) / 6, "lingvo": (5 + length) / 5}[formula] ** exponent
        scores = self.totals / divisor + extra
        if may is not None:
            scores = np.where(may, scores, -np.inf)
        places = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(scores, places, axis=1), places


def run(search, table, longest, mode="graph", stepper=None, **rules):
    stepper = stepper or TabularStepper(table.shape[-1])
    inputs = {"table": tf.constant(table)} | {name: tf.constant(value) for name, value in rules.items()}

    def call(inputs):
        return search(stepper, inputs, longest)

    if mode != "eager":
        call = tf.function(call, autograph=False, jit_compile=mode == "xla")
    return call(inputs)


def assert_best(found, outputs, wanted):
    """The outputs found are those wanted, (scores, places); among scores that round alike any order will do."""
    scores, places = wanted
    given, lengths = np.asarray(found.tokens), np.asarray(found.lengths)
    np.testing.assert_allclose(np.asarray(found.scores), scores, rtol=3e-5, atol=3e-5)
    same = 0
    for model, row in enumerate(places):
        for rank, place in enumerate(row):
            tokens = tuple(given[model, rank, : lengths[model, rank]].tolist())
            same += np.isfinite(scores[model, rank]) and tokens == outputs.tokens[place]  # -inf: there are no more outputs
    assert same >= np.isfinite(scores).sum() * 0.999, "ties of float32 are rarer than that"


def constraints(number):
    """Name, the rule's inputs for so many models, what the stepper is wrapped with, and which outputs may be."""
    prefixes = [(), (4,), (5, 4), (6, 6, 7)]
    phrases = [((4, 5),), ((7,),), ((5,), (6,)), ((6, 4, 5),)]
    rows = np.arange(number) % 4
    floors = (np.arange(number) % 5).astype(np.int32)

    def padded(one, size=3):
        return [*one, *[0] * (size - len(one))]

    def has(tokens, phrase):
        return any(tokens[start : start + len(phrase)] == phrase for start in range(len(tokens) - len(phrase) + 1))

    def distinct(size):
        return lambda tokens: len({tokens[i : i + size] for i in range(len(tokens) - size + 1)}) == max(0, len(tokens) - size + 1)

    prefix_rule = {
        "rule_prefix": np.array([padded(prefixes[row]) for row in rows], np.int32),
        "rule_prefix_length": np.array([len(prefixes[row]) for row in rows], np.int32),
    }
    phrase_rule = {
        "rule_phrases": np.array([[padded(one) for one in (*phrases[row], (), ())[:2]] for row in rows], np.int32),
        "rule_phrases_length": np.array([[len(one) for one in (*phrases[row], (), ())[:2]] for row in rows], np.int32),
    }
    yield "prefix", prefix_rule, {}, lambda t, m: t[: len(prefixes[m % 4])] == prefixes[m % 4], 4
    yield "phrases", phrase_rule, {"with_phrases": True}, lambda t, m: all(has(t, one) for one in phrases[m % 4]), 4
    yield "floor", {"rule_floor": floors}, {}, lambda t, m: len(t) >= m % 5, 5
    for size in (1, 2):
        yield f"distinct {size}", {}, {"distinct_ngrams": size}, lambda t, m, size=size: distinct(size)(t), 1
    both = {"distinct_ngrams": 2}
    yield "prefix and distinct", prefix_rule, both, lambda t, m: t[: len(prefixes[m % 4])] == prefixes[m % 4] and distinct(2)(t), 4


def constrained(table, longest, mode="graph", count=2):
    """Whether each constraint's best outputs are found, as (name, found, outputs, wanted)."""
    outputs = Outputs(table, longest)
    for name, rules, wrapped, allows, period in constraints(len(table)):
        may = np.array([[allows(tokens, model) for tokens in outputs.tokens] for model in range(period)])
        may = may[np.arange(len(table)) % len(may)]
        if name == "phrases":
            rules = rules | {"rule_phrases_limit": np.full([len(table)], longest, np.int32)}
        stepper = Ruled(TabularStepper(VOCABULARY), **wrapped)
        found = run(Beam(width=WORDS**longest, n_best=count), table, longest, mode, stepper, **rules)
        yield name, found, outputs, outputs.best("average", 1.0, count, may=may)


@pytest.mark.parametrize("formula, exponent", PENALTIES)
def test_a_full_beam_finds_the_best_output_of_every_model_under_every_penalty(formula, exponent):
    table = tables(500, VOCABULARY, seed=21)
    outputs = Outputs(table, 3)
    found = run(Beam(width=WORDS**3, n_best=3, formula=formula, length_penalty=exponent), table, 3)
    assert_best(found, outputs, outputs.best(formula, exponent, 3))


def test_a_full_beam_finds_the_best_output_of_every_model_under_every_constraint():
    for _, found, outputs, wanted in constrained(tables(60, VOCABULARY, seed=22), 3):
        assert_best(found, outputs, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("formula, exponent", PENALTIES)
def test_thousands_of_models_with_outputs_of_five_words(formula, exponent):
    for seed in range(4):
        table = tables(500, VOCABULARY, seed=seed)
        outputs = Outputs(table, 5)
        found = run(Beam(width=WORDS**5, n_best=1, formula=formula, length_penalty=exponent), table, 5)
        assert_best(found, outputs, outputs.best(formula, exponent))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_every_constraint_on_a_thousand_models(mode):
    for seed in range(10):
        for _, found, outputs, wanted in constrained(tables(100, VOCABULARY, seed=seed), 3, mode):
            assert_best(found, outputs, wanted)


@pytest.mark.slow
def test_unknown_ids_and_a_least_length_on_a_thousand_models():
    table = tables(1000, VOCABULARY, seed=31)
    outputs = Outputs(table, 3, words=[UNKNOWN, *range(NUM_RESERVED, VOCABULARY)])
    found = run(Beam(width=125, n_best=2, min_length=2, allow_unknown=True), table, 3)
    assert_best(found, outputs, outputs.best("average", 1.0, 2, may=outputs.lengths >= 2))


OPTIONS = [
    Beam(width=3, n_best=2),
    Beam(width=1),
    Beam(width=4, n_best=4, stop="likely"),
    Beam(width=3, stop="full", formula="gnmt", length_penalty=0.6),
    Beam(width=3, end_among="hypothesis", eos_margin=1.0, prune_margin=3.0, formula="lingvo", length_penalty=0.5),
    Beam(width=4, n_best=2, num_groups=2, diversity=0.7),
    Beam(width=3, min_length=2, allow_unknown=True),
    Greedy(),
    Greedy(allow_unknown=True),
]


@pytest.mark.slow
@pytest.mark.parametrize("search", OPTIONS, ids=str)
def test_eager_graph_and_xla_give_the_same_outputs(search):
    table = tables(500, VOCABULARY, seed=41)
    eager, graph, xla = (run(search, table, 5, mode) for mode in ("eager", "graph", "xla"))
    for other in (graph, xla):
        assert np.asarray(other.tokens).tolist() == np.asarray(eager.tokens).tolist()
        assert np.asarray(other.lengths).tolist() == np.asarray(eager.lengths).tolist()
        np.testing.assert_allclose(np.asarray(other.scores), np.asarray(eager.scores), rtol=2e-5, atol=2e-5)
