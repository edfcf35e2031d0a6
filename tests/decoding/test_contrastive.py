"""Contrastive search against the same written without tensors, and its limits."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END, NUM_RESERVED, START
from seqcfg.decoding.contrastive import Contrastive
from seqcfg.decoding.greedy import Greedy
from seqcfg.decoding.remembering import Remembering
from seqcfg.errors import UserError
from tests.decoding.tabular import STATES, TabularStepper, log_softmax, next_state, outputs_of, tables

VECTORS = np.random.default_rng(1).normal(size=[STATES, 4]).astype(np.float32)


class Looking(TabularStepper):
    hidden_size = 4

    def look(self, fixed, moving, tokens, index):
        moving, logits = self.step(fixed, moving, tokens, index)
        return moving, logits, tf.gather(VECTORS, moving["state"])


def run(search, table, xla=False, limits=None):
    stepper = Remembering(Looking(table.shape[-1]))
    call = tf.function(lambda given: search(stepper, {"table": given}, 6, limits=limits), jit_compile=xla, autograph=False)
    return outputs_of(call(tf.constant(table)))


def plain(table, search, longest):
    """One sentence; table holds log-probabilities [states, vocabulary]."""
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    state = next_state(0, START, 0)
    seen, tokens, total = [unit[state]], (), 0.0
    while len(tokens) < longest:
        words = sorted([END, *range(NUM_RESERVED, table.shape[-1])], key=lambda token: -table[state, token])[: search.top_k]

        def worth(token, state=state, tokens=tokens):
            likeness = max(unit[next_state(state, token, len(tokens) + 1)] @ earlier for earlier in seen)
            return (1 - search.penalty) * np.exp(table[state, token]) - search.penalty * likeness

        best = max(words, key=worth)
        total += table[state, best]
        if best == END:
            return total, tokens
        state = next_state(state, best, len(tokens) + 1)
        seen.append(unit[state])
        tokens = (*tokens, best)
    return total + table[state, END], tokens


@pytest.mark.parametrize("search", [Contrastive(top_k=3, penalty=0.4), Contrastive(top_k=5), Contrastive(top_k=1)], ids=str)
def test_tokens_are_those_of_the_formula(search):
    table = tables(80, vocabulary=9, seed=40)
    limits = np.arange(80, dtype=np.int32) % 7
    for found, one, limit in zip(run(search, table, limits=limits), table, limits, strict=True):
        score, tokens = plain(log_softmax(one), search, limit)
        assert found[0][1] == tokens and found[0][0] == pytest.approx(score, abs=1e-3)


def test_without_penalty_it_is_greedy_and_xla_changes_nothing():
    table = tables(40, vocabulary=9, seed=41)
    greedy = outputs_of(Greedy()(TabularStepper(9), {"table": tf.constant(table)}, 6))
    for xla in (False, True):
        found = run(Contrastive(top_k=4, penalty=0.0), table, xla)
        assert [one[0][1] for one in found] == [one[0][1] for one in greedy]
        np.testing.assert_allclose([one[0][0] for one in found], [one[0][0] for one in greedy], atol=1e-4)


def test_it_wants_the_vectors_of_one_model():
    with pytest.raises(UserError, match="one model"):
        Remembering(TabularStepper(9))
