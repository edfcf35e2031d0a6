"""Every search option against the list of all outputs: random models with a vocabulary of 4 words, outputs of up to 5.

All models are searched in one batch, and their outputs are enumerated as one array, so thousands of them are tried. What is
claimed holds for beams that keep every hypothesis; in plain graphs, in XLA and step by step alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END, NUM_RESERVED, PAD, START, UNKNOWN
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.greedy import Greedy
from seqcfg.decoding.rules import Ruled
from seqcfg.decoding.word_list import OfListedWords, WordList
from tests.decoding.tabular import STATES, Attentive, TabularStepper, tables

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


def run(search, table, longest, mode="graph", stepper=None, limits=None, **rules):
    stepper = stepper or TabularStepper(table.shape[-1])
    inputs = {"table": tf.constant(table)} | {name: tf.constant(value) for name, value in rules.items()}

    def call(inputs):
        return search(stepper, inputs, longest, limits=limits)

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


class Case(NamedTuple):
    """One constraint: what the search is told, what the stepper is wrapped with, and which outputs [models, outputs] may be."""

    name: str
    may: np.ndarray
    rules: dict = {}
    wrap: Callable = Ruled
    search: dict = {}
    limits: np.ndarray | None = None


PREFIXES = [(), (4,), (5, 4), (6, 6, 7)]
PHRASES = [((4, 5),), ((7,),), ((5,), (6,)), ((6, 4, 5),)]
WORD_LIST = WordList(words=["a", "ba", "bc"])


class Letters:
    """a, b, c and a space."""

    vocabulary = VOCABULARY

    def encode(self, texts):
        return [[4 + "abc ".index(letter) for letter in text] for text in texts]


def padded(one, size=3):
    return [*one, *[0] * (size - len(one))]


def has(tokens, phrase):
    return any(tokens[start : start + len(phrase)] == phrase for start in range(len(tokens) - len(phrase) + 1))


def is_distinct(tokens, size):
    runs = [tokens[i : i + size] for i in range(len(tokens) - size + 1)]
    return len(set(runs)) == len(runs)


def is_listed(tokens):
    return all(word in WORD_LIST.words for word in "".join("abc "[one - 4] for one in tokens).split(" ")) if tokens else True


def constraints(table, outputs, longest):
    """Every constraint over these models, each model with its own."""
    number = np.arange(len(table))
    kind = number % 4
    floors, limits = (number % (longest + 1)).astype(np.int32), (longest - number % (longest + 1)).astype(np.int32)

    def may(allows, period=1):
        found = np.array([[allows(tokens, row) for tokens in outputs.tokens] for row in range(period)])
        return found[number % period]

    prefix = {
        "rule_prefix": np.array([padded(PREFIXES[row]) for row in kind], np.int32),
        "rule_prefix_length": np.array([len(PREFIXES[row]) for row in kind], np.int32),
    }
    phrases = {
        "rule_phrases": np.array([[padded(one) for one in (*PHRASES[row], (), ())[:2]] for row in kind], np.int32),
        "rule_phrases_length": np.array([[len(one) for one in (*PHRASES[row], (), ())[:2]] for row in kind], np.int32),
        "rule_phrases_limit": np.full([len(table)], longest, np.int32),
    }
    begins = may(lambda t, m: t[: len(PREFIXES[m])] == PREFIXES[m], 4)
    contains = may(lambda t, m: all(has(t, one) for one in PHRASES[m]), 4)
    yield Case("prefix", begins, prefix)
    yield Case("phrases", contains, phrases, lambda stepper: Ruled(stepper, with_phrases=True))
    yield Case("floor", outputs.lengths >= floors[:, None], {"rule_floor": floors})
    yield Case("limit", outputs.lengths <= limits[:, None], limits=limits)
    for size in (1, 2, 3):
        yield Case(f"distinct {size}", may(lambda t, m, n=size: is_distinct(t, n)), wrap=lambda stepper, n=size: Ruled(stepper, n))
    both = begins & may(lambda t, m: is_distinct(t, 2))
    yield Case("prefix and distinct", both, prefix, lambda stepper: Ruled(stepper, 2))
    yield Case("least length", may(lambda t, m: len(t) >= 2), search={"min_length": 2})
    yield Case("word list", may(lambda t, m: is_listed(t)), wrap=lambda stepper: OfListedWords(stepper, WORD_LIST.trie(Letters())))
    state = outputs.states[np.arange(len(outputs.tokens)), outputs.lengths]
    margin = table[:, state, END] >= np.delete(table, [PAD, START, UNKNOWN], axis=2).max(-1)[:, state] - np.float32(1.0)
    yield Case("margin of the end", margin | (outputs.lengths == longest), search={"eos_margin": 1.0})


def constrained(table, longest, mode="graph", count=2, penalty=("average", 1.0), names=None):
    """Whether each constraint's best outputs are found, as (name, found, outputs, wanted)."""
    outputs = Outputs(table, longest)
    formula, exponent = penalty
    for case in constraints(table, outputs, longest):
        if names and case.name not in names:
            continue
        search = Beam(width=WORDS**longest, n_best=count, formula=formula, length_penalty=exponent, **case.search)
        found = run(search, table, longest, mode, case.wrap(TabularStepper(VOCABULARY)), case.limits, **case.rules)
        yield case.name, found, outputs, outputs.best(formula, exponent, count, may=case.may)


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
@pytest.mark.parametrize("penalty", PENALTIES)
def test_every_constraint_under_every_penalty_on_models_with_outputs_of_five_words(penalty):
    for seed in range(4):
        for _, found, outputs, wanted in constrained(tables(100, VOCABULARY, seed=seed), 5, penalty=penalty):
            assert_best(found, outputs, wanted)


@pytest.mark.slow
def test_every_constraint_compiled():
    for _, found, outputs, wanted in constrained(tables(200, VOCABULARY, seed=51), 3, "xla"):
        assert_best(found, outputs, wanted)


@pytest.mark.slow
def test_coverage_on_two_thousand_models_with_outputs_of_five_words():
    for seed in range(20):
        table, number = tables(100, VOCABULARY, seed=seed), 100
        draw = np.random.default_rng(seed)
        is_real = np.arange(3) < np.array([2, 3] * 50)[:, None]
        look = draw.dirichlet([0.3] * 3, [number, STATES]).astype(np.float32) * is_real[:, None]
        formula, cap = [("gnmt", 1.0), ("lingvo", 0.5)][seed % 2]
        outputs = Outputs(table, 5)
        visited = np.arange(6) <= outputs.lengths[:, None]
        got = (look[:, outputs.states] * visited[..., None]).sum(2)  # [models, outputs, source]
        extra = 0.6 * np.where(is_real[:, None], np.log(np.clip(got, 0.001, cap)), 0.0).sum(-1)
        search = Beam(width=WORDS**5, formula=formula, length_penalty=0.7, coverage_penalty=0.6)
        found = run(search, table, 5, stepper=Attentive(VOCABULARY), look=look, is_real=is_real)
        assert_best(found, outputs, outputs.best(formula, 0.7, 1, extra))


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
