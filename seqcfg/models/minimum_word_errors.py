"""Training on the word errors of what a beam finds, instead of on the likelihood of the transcript."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.reserved_ids import END
from seqcfg.component.types import NonNegativeFloat, NonNegativeInt, PositiveInt
from seqcfg.decoding.beam import Beam
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf
from seqcfg.losses.loss_sum import LossSum
from seqcfg.losses.targets import targets
from seqcfg.models.speller import Speller

BASE = 1_000_003  # of the polynomial that tells words apart


class MinimumWordErrors(Record):
    """sum_i p_i (e_i - mean e) over the n best outputs, p_i being their shares of the probability and e_i their word errors.

    So Prabhavalkar et al. 2018 (arXiv:1712.01818, equations 7 and 10); the likelihood keeps a small part, lest it be forgotten.
    A beam runs at every step, so that this is for fine-tuning: start from a trained run (training.warm_start) with a small rate.
    """

    n_best: PositiveInt = param(default=4, doc="Outputs per utterance, and width of the beam.")
    likelihood_weight: NonNegativeFloat = param(default=0.01, doc="Factor of the usual loss per token, beside 1 for errors per utterance.")
    space_ids: list[NonNegativeInt] = param(
        factory=list, doc="Ids of the tokens between words, such as that of the space; empty where every token is a word."
    )
    extra_tokens: PositiveInt = param(default=10, doc="Tokens by which an output may be longer than the transcript.")

    def __call__(self, w: Any, memory: Sequence, ids: Any, lengths: Any, plain: LossSum) -> LossSum:
        """Errors are counted over real utterances; `plain` is the usual loss of ids [batch, time], the end id inside lengths."""
        tokens, sizes, is_there = self._search(w, memory, lengths)
        errors = self._errors(tokens, sizes, ids, lengths - 1)
        log_p = tf.where(is_there, self._log_probabilities(w, memory, tokens, sizes), -1e9)
        shares = tf.nn.softmax(log_p)
        count = tf.maximum(tf.reduce_sum(tf.cast(is_there, tf.float32), 1, keepdims=True), 1.0)
        mean = tf.reduce_sum(tf.where(is_there, errors, 0.0), 1, keepdims=True) / count
        is_real = tf.cast(lengths > 0, tf.float32)
        weight = tf.reduce_sum(is_real)
        per_token = weight / tf.maximum(plain.weight, 1.0)
        total = tf.reduce_sum(is_real * tf.reduce_sum(shares * tf.where(is_there, errors - mean, 0.0), 1))
        metrics = {name: value * per_token for name, value in plain.metrics.items()}
        return LossSum(total + self.likelihood_weight * per_token * plain.total, weight, metrics)

    def _search(self, w: Any, memory: Sequence, lengths: Any) -> tuple[Any, Any, Any]:
        """Tokens [batch, n, time], their counts [batch, n] without the end, and whether a place was filled [batch, n]."""
        calm = w.within(dataclasses.replace(w.context, training=False, seed=None, watched=None, observer=None))
        search = Beam(width=self.n_best, n_best=self.n_best, length_penalty=0.0)
        limits = tf.maximum(lengths - 1, 0) + self.extra_tokens
        found = search(Heard(calm, memory), {"rows": lengths}, tf.reduce_max(limits), limits=limits)
        tokens, sizes, scores = (tf.stop_gradient(part) for part in (found.tokens, found.lengths, found.scores))
        return tokens, sizes, tf.math.is_finite(scores)

    def _log_probabilities(self, w: Any, memory: Sequence, tokens: Any, sizes: Any) -> Any:
        """Of the outputs with their end, [batch, n], by the model as it trains."""
        shape = tf.shape(tokens)
        flat, ends = tf.reshape(tf.pad(tokens, [[0, 0], [0, 0], [0, 1]]), [-1, shape[2] + 1]), tf.reshape(sizes, [-1])
        flat = tf.where(tf.range(shape[2] + 1) == ends[:, tf.newaxis], END, flat)  # [batch * n, time + 1]
        mask = None if memory.mask is None else tf.repeat(memory.mask, self.n_best, axis=0)
        repeated = dataclasses.replace(memory, values=tf.repeat(memory.values, self.n_best, axis=0), mask=mask)
        inputs, labels, lengths = targets(flat, ends + 1)
        logits = w.logits(w.forced(repeated, inputs, lengths))
        found = -tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        is_real = tf.sequence_mask(lengths, shape[2] + 1)
        return tf.reshape(tf.reduce_sum(tf.where(is_real, found, 0.0), 1), shape[:2])

    def _errors(self, tokens: Any, sizes: Any, ids: Any, lengths: Any) -> Any:
        """Word errors float32 [batch, n] of tokens [batch, n, time] against ids [batch, time]; lengths are without the ends."""
        shape = tf.shape(tokens)
        ours = words(tf.reshape(tokens, [-1, shape[2]]), tf.reshape(sizes, [-1]), self.space_ids)
        theirs = words(tf.repeat(ids, self.n_best, axis=0), tf.repeat(lengths, self.n_best), self.space_ids)
        return tf.reshape(tf.edit_distance(ours, theirs, normalize=False), shape[:2])


class Heard(Speller):
    """The stepper over a memory that is known already; searches count the rows of their inputs."""

    def __init__(self, w: Any, memory: Sequence):
        super().__init__(w)
        self._memory = memory

    def start(self, inputs: Any, max_length: Any) -> tuple[Any, Any]:
        return super().start(self._memory, max_length)


def words(ids: Any, lengths: Any, space_ids: list[int]) -> Any:
    """A SparseTensor int64 [rows, most words] of numbers that tell words apart, for ids [rows, time] within lengths [rows].

    A word is the tokens between spaces; its number is their polynomial in a large base, modulo 2^64.
    """
    is_real = tf.sequence_mask(lengths, tf.shape(ids)[1])
    numbers, is_word = _joined(ids, is_real, space_ids) if space_ids else (tf.cast(ids, tf.int64), is_real)
    places = tf.where(is_word)
    column = tf.gather_nd(tf.cumsum(tf.cast(is_word, tf.int64), 1) - 1, places)
    shape = tf.cast(tf.shape(is_word), tf.int64)
    return tf.SparseTensor(tf.stack([places[:, 0], column], 1), tf.gather_nd(numbers, places), shape)


def _joined(ids: Any, is_real: Any, space_ids: list[int]) -> tuple[Any, Any]:
    """Numbers of the stretches between spaces, int64 [rows, time + 1], and whether there is anything in them."""
    rows, time = tf.unstack(tf.shape(ids))
    is_space = tf.reduce_any(ids[..., tf.newaxis] == tf.constant(space_ids), -1)
    inside = is_real & ~is_space
    stretch = tf.range(rows)[:, tf.newaxis] * (time + 1) + tf.cumsum(tf.cast(is_space, tf.int32), 1)
    count = rows * (time + 1)
    before = tf.cumsum(tf.cast(inside, tf.int64), 1, exclusive=True)
    first = tf.math.unsorted_segment_min(before, stretch, count)
    power = tf.pow(tf.constant(BASE, tf.int64), before - tf.gather(first, stretch))
    values = tf.where(inside, (tf.cast(ids, tf.int64) + 1) * power, tf.zeros([], tf.int64))
    sums, sizes = (tf.math.unsorted_segment_sum(x, stretch, count) for x in (values, tf.cast(inside, tf.int64)))
    return tf.reshape(sums, [rows, time + 1]), tf.reshape(sizes > 0, [rows, time + 1])
