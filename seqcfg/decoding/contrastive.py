"""Contrastive search: probable tokens that do not repeat what the model has just said."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from seqcfg.component.component import param
from seqcfg.component.reserved_ids import END, PAD, START, UNKNOWN
from seqcfg.component.types import PositiveInt, Probability
from seqcfg.decoding.best_tokens import best_tokens
from seqcfg.decoding.loop import Looped, State
from seqcfg.decoding.rows import take_rows, total_of, write_column
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.lazy import tf

IMPOSSIBLE = float("-inf")


class Considered(NamedTuple):
    """Candidates for the next position [batch, top_k] with their log-probabilities, and the output so far [batch, 1, ...]."""

    tokens: Any
    gains: Any
    is_over: Any
    log_probabilities: Any
    lengths: Any
    sequences: Any


class Contrastive(Looped, type="contrastive"):
    """Takes of the top_k tokens that of the largest (1 - penalty) p(v) - penalty max_j cos(h_v, h_j) (arXiv:2202.06417, equation 5).

    h are the vectors from which logits are made: h_v after the candidate was read, h_j those of all positions before it.
    The score is the log-probability of the output. `top_k: 1` and `penalty: 0` are greedy search.
    """

    needs_hidden: ClassVar[bool] = True
    num_outputs: ClassVar[int] = 1

    top_k: PositiveInt = param(default=5, doc="Candidates per position; each costs a step of the model.")
    penalty: Probability = param(default=0.6, doc="Weight of the likeness to earlier positions against the probability (dimensionless).")
    allow_unknown: bool = param(default=False, doc="Whether the unknown id may be produced.")

    @property
    def rows(self) -> int:
        return self.top_k

    def first(self, batch: Any, size: Any) -> Considered:
        only_first = tf.where(tf.range(self.top_k) == 0, 0.0, IMPOSSIBLE)
        return Considered(
            tokens=tf.fill([batch, self.top_k], START),
            gains=tf.tile(only_first[None], [batch, 1]),
            is_over=tf.fill([batch], False),
            log_probabilities=tf.zeros([batch, 1]),
            lengths=tf.zeros([batch, 1], tf.int32),
            sequences=tf.zeros([batch, 1, size], tf.int32),
        )

    def is_over(self, own: Considered) -> Any:
        return own.is_over

    def found(self, own: Considered) -> Hypotheses:
        return Hypotheses(own.sequences, own.lengths, own.log_probabilities, own.log_probabilities, own.is_over)

    def advance(self, stepper: Any, state: State) -> State:
        """Reads every candidate, keeps the best one, and lists the candidates that follow it."""
        own, index = state.own, state.index
        moving, logits = stepper.step(state.fixed, state.moving, tf.reshape(own.tokens, [-1]), index)
        likeness = tf.reshape(likeness_to_earlier(moving["hidden"], index), [-1, self.top_k])
        worth = tf.where(own.gains > -1e8, (1 - self.penalty) * tf.exp(own.gains) - self.penalty * likeness, IMPOSSIBLE)
        chosen = tf.argmax(worth, axis=1, output_type=tf.int32)
        own = self._extended(own, index, tf.gather(own.tokens, chosen, batch_dims=1), tf.gather(own.gains, chosen, batch_dims=1))
        rows = tf.range(tf.shape(chosen)[0]) * self.top_k + chosen
        tokens, gains, end = self._candidates(stepper, tf.gather(logits, rows))
        ends = ~own.is_over & (index >= state.limits)
        own = own._replace(
            tokens=tokens,
            gains=gains,
            is_over=own.is_over | ends,
            log_probabilities=own.log_probabilities + tf.where(ends, end, 0.0)[:, None],
        )
        return state._replace(own=own, moving=take_rows(moving, tf.repeat(rows, self.top_k)))

    def _extended(self, own: Considered, index: Any, tokens: Any, gains: Any) -> Considered:
        """With the token read at `index`, which is output index - 1; the start id at 0 is none."""
        is_word = ~own.is_over & (tokens != END) & (index > 0)
        return own._replace(
            is_over=own.is_over | (tokens == END),
            log_probabilities=own.log_probabilities + tf.where(own.is_over, 0.0, gains)[:, None],
            lengths=own.lengths + tf.cast(is_word, tf.int32)[:, None],
            sequences=write_column(own.sequences, index - 1, tf.where(is_word, tokens, 0)[:, None]),
        )

    def _candidates(self, stepper: Any, logits: Any) -> tuple[Any, Any, Any]:
        """The top_k tokens of logits [batch, vocabulary] and their log-probabilities, and that of the end id [batch]."""
        ids = tf.range(logits.shape[-1])
        barred = (ids == PAD) | (ids == START)
        if not self.allow_unknown:
            barred |= ids == UNKNOWN
        best = tf.argmax(logits, axis=-1, output_type=tf.int32)
        total = total_of(stepper, logits, best, tf.reduce_max(logits, axis=-1))
        values, tokens = best_tokens(tf.where(barred, IMPOSSIBLE, logits), self.top_k)
        return tokens, tf.minimum(values - total[:, None], 0.0), tf.minimum(logits[:, END] - total, 0.0)


def likeness_to_earlier(hidden: Any, index: Any) -> Any:
    """The largest cosine between the vector at `index` and those before it, of hidden [rows, time, dim]; 0 where there is none."""
    unit = tf.math.l2_normalize(hidden, axis=-1)
    now = tf.gather(unit, index, axis=1)
    cosines = tf.linalg.matvec(unit, now)
    is_before = tf.range(tf.shape(hidden)[1]) < index
    return tf.where(index > 0, tf.reduce_max(tf.where(is_before, cosines, -1.0), axis=1), 0.0)
