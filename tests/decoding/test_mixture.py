"""Ensembles and fusion against enumeration with the mixed probabilities written out."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END, START
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.greedy import Greedy
from seqcfg.decoding.mixture import Mixture
from tests.decoding.tabular import TabularStepper, allowed, log_softmax, next_state, outputs_of, tables


def run(search, parts, roles, weights, average, xla=False):
    stepper = Mixture([TabularStepper(parts[0].shape[-1]) for _ in parts], roles, weights, average)
    inputs = {("table" if place == 0 else f"{place}.table"): tf.constant(table) for place, table in enumerate(parts)}
    return outputs_of(tf.function(lambda given: search(stepper, given, 4), jit_compile=xla, autograph=False)(inputs))


def mixed(rows, roles, weights, average):
    models = [row for row, role in zip(rows, roles, strict=True) if role == "model"]
    if average == "probabilities":
        total = np.log(np.mean(np.exp(models), axis=0))
    else:
        total = np.mean(models, axis=0)
    return total + sum(weight * row for row, role, weight in zip(rows, roles, weights, strict=True) if role == "prior")


def best(parts, roles, weights, average, count):
    """The best outputs of one sentence by trying all of them; parts hold log-probabilities [states, vocabulary]."""
    found = []
    for length in range(5):
        for tokens in itertools.product(allowed(parts[0].shape[-1]), repeat=length):
            state, total, fed = 0, 0.0, (START, *tokens)
            for index, following in enumerate((*tokens, END)):
                state = next_state(state, fed[index], index)
                total += mixed([part[state] for part in parts], roles, weights, average)[following]
            found.append((total / (length + 1), tokens))
    return sorted(found, reverse=True)[:count]


CASES = [
    (["model", "model"], [1.0, 1.0], "probabilities"),
    (["model", "model", "model"], [1.0] * 3, "log_probabilities"),
    (["model", "prior"], [1.0, 0.3], "probabilities"),
    (["model", "model", "prior"], [1.0, 1.0, 0.7], "probabilities"),
]


@pytest.mark.parametrize("roles, weights, average", CASES, ids=str)
def test_a_full_beam_finds_the_best_output_under_the_mixture(roles, weights, average):
    parts = [tables(30, vocabulary=6, seed=20 + place) for place in range(len(roles))]
    found = run(Beam(width=20, n_best=3), parts, roles, weights, average)
    for row, ours in enumerate(found):
        theirs = best([log_softmax(part[row]) for part in parts], roles, weights, average, 3)
        assert [tokens for _, tokens in ours] == [tokens for _, tokens in theirs]
        np.testing.assert_allclose([score for score, _ in ours], [score for score, _ in theirs], rtol=1e-4, atol=1e-4)


def test_a_model_with_itself_is_the_model_and_a_prior_without_weight_changes_nothing():
    table = tables(40, vocabulary=9, seed=30)
    for search in (Greedy(), Beam(width=3, n_best=2)):
        alone = outputs_of(search(TabularStepper(9), {"table": tf.constant(table)}, 4))
        for roles, weights in ((["model", "model"], [1.0, 1.0]), (["model", "prior"], [1.0, 0.0])):
            found = run(search, [table, table], roles, weights, "probabilities", xla=True)
            assert [[tokens for _, tokens in one] for one in found] == [[tokens for _, tokens in one] for one in alone]
            for ours, theirs in zip(found, alone, strict=True):
                assert all(math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-4) for (a, _), (b, _) in zip(ours, theirs, strict=True))
