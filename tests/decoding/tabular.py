"""A tiny model whose next-token table is known, and the searches over it written the slow and obvious way."""

from __future__ import annotations

import itertools
import math

import numpy as np
import tensorflow as tf

from seqcfg.component.reserved_ids import END, START, UNKNOWN

STATES = 7


class TabularStepper:
    """The next token depends on the whole history, folded into one of a few states: a mixed-up history is noticed."""

    def __init__(self, vocabulary: int):
        self.vocabulary = vocabulary

    def start(self, inputs, max_length):
        table = inputs["table"]  # [sentences, states, vocabulary]
        return {"table": table}, {"state": tf.zeros([tf.shape(table)[0]], tf.int32)}

    def step(self, fixed, moving, tokens, index):
        state = (3 * moving["state"] + tokens + index) % STATES
        width = tf.shape(tokens)[0] // tf.shape(fixed["table"])[0]
        rows = tf.range(tf.shape(tokens)[0]) // width
        return {"state": state}, tf.gather_nd(fixed["table"], tf.stack([rows, state], axis=1))


class Attentive(TabularStepper):
    """Looks at three source positions, of which sentences have two or three, as its state says."""

    def start(self, inputs, max_length):
        fixed, moving = super().start(inputs, max_length)
        return fixed | {"look": inputs["look"], "is_real": inputs["is_real"]}, moving | {
            "coverage": tf.zeros(tf.shape(inputs["look"])[::2])
        }

    def step(self, fixed, moving, tokens, index):
        new, logits = super().step(fixed, {"state": moving["state"]}, tokens, index)
        rows = tf.range(tf.shape(tokens)[0]) // (tf.shape(tokens)[0] // tf.shape(fixed["table"])[0])
        look = tf.gather_nd(fixed["look"], tf.stack([rows, new["state"]], axis=1))
        return new | {"coverage": moving["coverage"] + look}, logits


def tables(number: int, vocabulary: int, seed: int = 0, sharpness: float = 2.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sharpness, [number, STATES, vocabulary]).astype(np.float32)


def log_softmax(table: np.ndarray) -> np.ndarray:
    table = table.astype(np.float64)
    return table - np.log(np.exp(table).sum(-1, keepdims=True))


def allowed(vocabulary: int, with_unknown: bool = False) -> list[int]:
    return [*([UNKNOWN] if with_unknown else []), *range(END + 1, vocabulary)]


def next_state(state: int, token: int, index: int) -> int:
    return (3 * state + token + index) % STATES


def log_probability(table: np.ndarray, tokens: tuple[int, ...]) -> float:
    """Of the tokens and the end id after them; table holds log-probabilities [states, vocabulary]."""
    state, total, fed = 0, 0.0, (START, *tokens)
    for index, following in enumerate((*tokens, END)):
        state = next_state(state, fed[index], index)
        total += table[state, following]
    return total


def penalty(formula: str, exponent: float, length: int) -> float:
    return {"average": length, "gnmt": (5 + length) / 6, "lingvo": (5 + length) / 5}[formula] ** exponent


def all_outputs(table: np.ndarray, longest: int, formula: str, exponent: float, shortest: int = 0, with_unknown: bool = False) -> list:
    """[(score, tokens)] of every output there is, best first."""
    outputs = []
    for length in range(shortest, longest + 1):
        for tokens in itertools.product(allowed(table.shape[-1], with_unknown), repeat=length):
            outputs.append((log_probability(table, tokens) / penalty(formula, exponent, length + 1), tokens))
    return sorted(outputs, reverse=True)


def plain_beam(table: np.ndarray, longest: int, beam) -> list:
    """Beam search with `certain` meaning no early stopping, one sentence, one list comprehension per sentence of its docstring."""
    alive, finished = [(0.0, (), 0)], []
    for index in range(longest + 1):
        continuations = []
        for total, tokens, state in alive:
            new = next_state(state, (START, *tokens)[-1], index)
            words, end = allowed(table.shape[-1], beam.allow_unknown), [END] if index >= beam.min_length else []
            choices = [END] if index == longest else [*words, *end]
            best = max(table[new, token] for token in choices)
            for token in choices:
                near = token != END or beam.eos_margin is None or table[new, END] >= best - beam.eos_margin
                rank = sum(table[new, other] > table[new, token] for other in choices)
                continuations.append((total + table[new, token], tokens, new, token, near, rank))
        continuations.sort(key=lambda c: -c[0])
        for place, (total, tokens, _, token, near, rank) in enumerate(continuations):
            among = place < beam.width if beam.end_among == "beam" else rank < beam.width + 1
            if token == END and near and among:
                finished.append((total / penalty(beam.formula, beam.length_penalty, index + 1), tokens, total))
        alive = [(total, (*tokens, token), new) for total, tokens, new, token, _, _ in continuations if token != END][: beam.width]
        best = sorted((f[0] for f in finished), reverse=True)
        at_present = alive[0][0] / penalty(beam.formula, beam.length_penalty, index + 1) if alive else 0.0
        if beam.stop == "likely" and best[beam.n_best - 1 :] and best[beam.n_best - 1] >= at_present:
            break
        if beam.stop == "full" and len(finished) >= beam.width:
            break
        if beam.prune_margin is not None and finished and alive and alive[0][0] <= max(f[2] for f in finished) - beam.prune_margin:
            break
    finished.sort(key=lambda f: -f[0])
    return [(score, tokens) for score, tokens, _ in finished[: beam.n_best]]


def outputs_of(hypotheses) -> list:
    """[[(score, tokens), ...] per sentence] of what a search returned; unfilled places are left out."""
    tokens, lengths, scores = (np.asarray(x) for x in (hypotheses.tokens, hypotheses.lengths, hypotheses.scores))
    return [
        [(float(s), tuple(int(i) for i in t[:n])) for t, n, s in zip(*rows, strict=True) if s > -math.inf]
        for rows in zip(tokens, lengths, scores, strict=True)
    ]


class TabularPrior:
    """A language model whose next token depends on the one before."""

    def __init__(self, table):
        self.table = table  # log-probabilities [vocabulary, vocabulary]

    def start(self, inputs, max_length):
        return {}, {"nothing": tf.zeros([tf.shape(inputs["prompt"])[0]])}

    def go_on(self, fixed, moving, tokens, index):
        return moving, tf.gather(tf.constant(self.table), tokens)
