"""Sampling: outputs drawn from the model's distribution, or from the more probable part of it."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.reserved_ids import END, PAD, START, UNKNOWN
from seqcfg.component.types import NonNegativeInt, PositiveFloat, PositiveInt, Probability
from seqcfg.decoding.best_tokens import best_tokens, largest, log_probability
from seqcfg.decoding.chain import Chain, Outputs
from seqcfg.decoding.loop import State
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.lazy import tf

IMPOSSIBLE = float("-inf")


class Sample(Chain, type="sample"):
    """Draws each token from the softmax of logits / temperature, among those that every filter given leaves.

    The nucleus is that of Holtzman et al. 2020 (arXiv:1904.09751), section 3.1; min-p that of Nguyen et al. 2024
    (arXiv:2407.01082), typical that of Meister et al. 2023 (arXiv:2202.00666), equation 10. A draw depends on the seed and the numbers of
    line, sample and position alone, so neither batch size nor order of decoding changes a result. Scores are the model's own
    log-probabilities.
    """

    temperature: PositiveFloat = param(default=1.0, doc="Divides the logits (dimensionless): below 1 favours probable tokens.")
    top_k: PositiveInt | None = param(default=None, doc="Draws from this many most probable tokens; null draws from all.")
    top_p: Probability = param(default=1.0, doc="Draws from the fewest tokens whose probabilities sum to at least this; 1 draws from all.")
    min_p: Probability = param(default=0.0, doc="Draws from tokens at least this times as probable as the best one; 0 draws from all.")
    typical_p: Probability = param(
        default=1.0,
        doc="Draws from the tokens whose information is closest to the entropy, until they have this probability; 1 draws from all.",
    )
    n_best: PositiveInt = param(default=1, doc="Samples per sentence, returned most probable first.")
    seed: NonNegativeInt = param(default=0, doc="Start of the random numbers; another seed gives other samples.")
    allow_unknown: bool = param(default=False, doc="Whether the unknown id may be produced.")

    @property
    def num_outputs(self) -> int:
        return self.n_best

    @property
    def rows(self) -> int:
        return self.n_best

    def choose(self, stepper: Any, logits: Any, must_end: Any, state: State) -> tuple[Any, Any]:
        keys = mix(tf.bitwise.bitwise_xor(unsigned(state.lines), mix(unsigned(self.seed))))
        keys = tf.reshape(mix(keys[:, None] + unsigned(tf.range(self.n_best))), [-1])  # [batch * n_best]
        return self._draw(stepper, logits, must_end, mix(keys + unsigned(state.index)))

    def found(self, own: Outputs) -> Hypotheses:
        """The samples most probable first."""
        scores, places = largest(own.log_probabilities, self.n_best)
        sequences, lengths = (tf.gather(part, places, batch_dims=1) for part in (own.sequences, own.lengths))
        return Hypotheses(sequences, lengths, scores, scores, self.is_over(own))

    def _draw(self, stepper: Any, logits: Any, must_end: Any, keys: Any) -> tuple[Any, Any]:
        """A token for each row of logits [rows, vocabulary], by the largest of logit + Gumbel noise; and its log-probability."""
        values, ids = self._candidates(logits)
        noise = -tf.math.log(-tf.math.log(uniform(keys[:, None] + unsigned(ids))))
        place = tf.argmax(values + noise, axis=-1, output_type=tf.int32)
        tokens = tf.where(must_end, END, tf.gather(tf.broadcast_to(ids, tf.shape(values)), place, batch_dims=1))
        return tokens, log_probability(stepper, logits, tf.gather(logits, tokens, batch_dims=1))

    def _candidates(self, logits: Any) -> tuple[Any, Any]:
        """Logits / temperature, -inf where barred, and the ids they stand for: [rows, count] and [rows, count] or [1, count]."""
        ids = tf.range(logits.shape[-1])[None]
        barred = (ids == PAD) | (ids == START)
        if not self.allow_unknown:
            barred |= ids == UNKNOWN
        values = tf.where(barred, IMPOSSIBLE, logits / self.temperature)
        if self.min_p > 0:
            least = tf.reduce_max(values, axis=-1, keepdims=True) + math.log(self.min_p)
            values = tf.where(values >= least, values, IMPOSSIBLE)
        if self.typical_p < 1:
            values = typical(values, self.typical_p)
        if self.top_k is None and self.top_p == 1:
            return values, ids
        values, ids = best_tokens(values, min(self.top_k or logits.shape[-1], logits.shape[-1]))
        if self.top_p < 1:
            before = tf.cumsum(tf.nn.softmax(values), axis=-1, exclusive=True)
            is_first = tf.range(tf.shape(values)[-1]) == 0
            values = tf.where(is_first | (before < self.top_p), values, IMPOSSIBLE)
        return values, ids


def typical(values: Any, probability: float) -> Any:
    """Values [rows, vocabulary] with -inf but where information is closest to the entropy, as few as have the probability."""
    p = tf.nn.softmax(values)
    information = -tf.math.log(tf.maximum(p, 1e-30))
    distance = tf.abs(information - tf.reduce_sum(p * information, axis=-1, keepdims=True))
    order = tf.argsort(tf.where(p > 0, distance, float("inf")), axis=-1, stable=True)
    before = tf.cumsum(tf.gather(p, order, batch_dims=1), axis=-1, exclusive=True)
    is_kept = (before < probability) | (tf.range(values.shape[-1]) == 0)
    place = tf.argsort(order, axis=-1)  # the rank of each token
    return tf.where(tf.gather(is_kept, place, batch_dims=1), values, IMPOSSIBLE)


def unsigned(value: Any) -> Any:
    return tf.cast(value, tf.uint32)


def mix(bits: Any) -> Any:
    """Scrambles uint32 numbers one to one, so that neighbours become unrelated (multiply and xor-shift rounds)."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, tf.constant(shift, tf.uint32)))
        bits *= tf.constant(factor, tf.uint32)
    return tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, tf.constant(16, tf.uint32)))


def uniform(bits: Any) -> Any:
    """float32 numbers strictly between 0 and 1, a function of each uint32."""
    return (tf.cast(tf.cast(tf.bitwise.right_shift(mix(bits), tf.constant(9, tf.uint32)), tf.int32), tf.float32) + 0.5) * 2.0**-23
