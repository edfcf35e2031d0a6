"""Searches that never go back: one token after the other, each row on its own."""

from __future__ import annotations

from typing import Any, NamedTuple

from seqcfg.component.reserved_ids import END, START
from seqcfg.decoding.loop import Looped, State
from seqcfg.decoding.rows import write_column
from seqcfg.lazy import tf


class Outputs(NamedTuple):
    """Outputs [batch, rows]; `sequences` [batch, rows, time] are 0 from `lengths` on."""

    tokens: Any
    is_over: Any
    log_probabilities: Any
    lengths: Any
    sequences: Any


class Chain(Looped):
    """Extends every row until its end id or its limit, whichever comes first. Members define `choose`."""

    def choose(self, stepper: Any, logits: Any, must_end: Any, state: State) -> tuple[Any, Any]:
        """Tokens [rows] and their log-probabilities, of logits [rows, vocabulary] and where only the end id is allowed [rows]."""
        raise TypeError(f"{type(self).__name__} defines no choose")

    def first(self, batch: Any, size: Any) -> Outputs:
        shape = [batch, self.rows]
        return Outputs(
            tokens=tf.fill(shape, START),
            is_over=tf.fill(shape, False),
            log_probabilities=tf.zeros(shape),
            lengths=tf.zeros(shape, tf.int32),
            sequences=tf.zeros([*shape, size], tf.int32),
        )

    def advance(self, stepper: Any, state: State) -> State:
        moving, logits = stepper.step(state.fixed, state.moving, tf.reshape(state.own.tokens, [-1]), state.index)
        chosen, gained = self.choose(stepper, logits, tf.repeat(state.index >= state.limits, self.rows), state)
        return state._replace(own=self.extended(state, chosen, gained), moving=moving)

    def extended(self, state: State, chosen: Any, gained: Any) -> Outputs:
        """The outputs with one more token each, where they go on; chosen and gained [batch * rows]."""
        old = state.own
        tokens, gain = tf.reshape(chosen, [-1, self.rows]), tf.reshape(gained, [-1, self.rows])
        goes_on = ~old.is_over & (tokens != END)
        return Outputs(
            tokens=tokens,
            is_over=~goes_on,
            log_probabilities=old.log_probabilities + tf.where(old.is_over, 0.0, gain),
            lengths=old.lengths + tf.cast(goes_on, tf.int32),
            sequences=write_column(old.sequences, state.index, tf.where(goes_on, tokens, 0)),
        )

    def is_over(self, own: Outputs) -> Any:
        return tf.reduce_all(own.is_over, axis=1)
