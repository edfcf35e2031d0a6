"""A tiny lattice whose arcs are known, and the searches over it written the slow and obvious way."""

from __future__ import annotations

import itertools

import numpy as np
import tensorflow as tf

from seqcfg.component.reserved_ids import END, NUM_RESERVED, PAD, START
from seqcfg.decoding.lattice import Lattice

STATES = 7
VOCABULARY = NUM_RESERVED + 4


class TabularLattice(Lattice):
    """Arcs depend on the frame and on the whole text, folded into one of a few states: a mixed-up text is noticed."""

    vocabulary = VOCABULARY

    def __init__(self, is_one_per_frame=False):
        self.is_one_per_frame = is_one_per_frame

    def start(self, inputs, max_length):
        table = inputs["table"]  # [sentences, frames, states, vocabulary]
        state = tf.ones([tf.shape(table)[0], 1], tf.int32)
        return {"frames": table, "num_frames": inputs["table_length"]}, {"tokens": state}

    def arcs(self, fixed, moving, places):
        table = fixed["frames"]
        frames = tf.gather(table, tf.minimum(places, tf.shape(table)[1] - 1), batch_dims=1)  # [batch, number, states, vocabulary]
        state = tf.broadcast_to(tf.reshape(moving["tokens"], [tf.shape(table)[0], -1]), tf.shape(places))
        return tf.gather(frames, state, batch_dims=2)

    def written(self, fixed, moving, tokens):
        return {"tokens": next_state(moving["tokens"], tokens[:, None])}

    def ends(self, moving):
        return tf.zeros([tf.shape(moving["tokens"])[0]])


def next_state(state, token):
    return (3 * state + token) % STATES


def state_of(text):
    state = 1
    for token in text:
        state = next_state(state, token)
    return state


def tables(number, frames, seed=0, sharpness=2.0):
    """Log-probabilities [number, frames, states, vocabulary]; the blank is as likely as all tokens together."""
    logits = np.random.default_rng(seed).normal(0, sharpness, [number, frames, STATES, VOCABULARY])
    logits[..., PAD] += 2.0
    logits[..., [START, END]] = -1e9
    return (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)


def log_probability(table, text, one_per_frame=False):
    """Of a text, summed over all alignments: table [frames, states, vocabulary]."""
    time, count = len(table), len(text)
    ahead = np.full([time + 1, count + 1], -np.inf)
    ahead[0, 0] = 0.0
    for t in range(time):
        for u in range(count + 1):
            arcs = table[t, state_of(text[:u])].astype(np.float64)
            if u < count:
                to = (t + 1, u + 1) if one_per_frame else (t, u + 1)
                ahead[to] = np.logaddexp(ahead[to], ahead[t, u] + arcs[text[u]])
            ahead[t + 1, u] = np.logaddexp(ahead[t + 1, u], ahead[t, u] + arcs[PAD])
    return ahead[time, count]


def all_texts(longest):
    words = range(NUM_RESERVED, VOCABULARY)
    return [text for length in range(longest + 1) for text in itertools.product(words, repeat=length)]


def plain_greedy(table, longest, tokens_per_frame, one_per_frame=False):
    """(score, text): frame by frame, token by token."""
    text, total = (), 0.0
    for arcs in table:
        for place in range(tokens_per_frame + 1):
            scores = arcs[state_of(text)].astype(np.float64)
            is_bound = place == tokens_per_frame or len(text) == longest
            allowed = [PAD] if is_bound else [PAD, *range(NUM_RESERVED, VOCABULARY)]
            best = max(allowed, key=lambda token: scores[token])
            total += scores[best]
            if best == PAD:
                break
            text += (best,)
            if one_per_frame:
                break
    return total, text


def inputs_of(rows):
    """Tables of several lengths as one batch; behind the last frame stand numbers that must not be read."""
    longest = max(map(len, rows))
    table = np.full([len(rows), longest, STATES, VOCABULARY], 5.0, np.float32)
    for place, row in zip(table, rows, strict=True):
        place[: len(row)] = row
    return {"table": tf.constant(table), "table_length": tf.constant([len(row) for row in rows])}
