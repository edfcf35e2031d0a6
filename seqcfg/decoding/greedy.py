"""Greedy search: always the most probable next token."""

from __future__ import annotations

from typing import Any, NamedTuple

from seqcfg.component.component import param
from seqcfg.component.kinds import Search
from seqcfg.decoding.rows import like, log_total, num_sentences, write_column
from seqcfg.decoding.stepper import END, NUM_RESERVED, START, UNKNOWN, Hypotheses
from seqcfg.lazy import tf


class State(NamedTuple):
    """What one step hands to the next; all but `index` and `moving` have one entry per sentence."""

    index: Any
    tokens: Any
    is_over: Any
    log_probabilities: Any
    lengths: Any
    sequences: Any
    moving: Any


class Greedy(Search, type="greedy"):
    """Takes the most probable token at each position until the end id. The score is the log-probability of the output."""

    allow_unknown: bool = param(default=False, doc="Whether the unknown id may be produced.")

    def __call__(self, stepper: Any, inputs: Any, max_length: Any, *, limits: Any = None, lines: Any = None) -> Hypotheses:
        """As `Beam`, with one hypothesis per sentence."""
        fixed, moving = stepper.start(inputs, max_length + 1)
        batch = num_sentences(inputs)
        limits = tf.fill([batch], max_length) if limits is None else tf.convert_to_tensor(limits, tf.int32)
        zeros = tf.zeros([batch], tf.int32)
        state = State(
            index=tf.constant(0),
            tokens=tf.fill([batch], START),
            is_over=tf.fill([batch], False),
            log_probabilities=tf.zeros([batch]),
            lengths=zeros,
            sequences=tf.zeros([batch, max_length], tf.int32),
            moving=moving,
        )

        def advance(state: State) -> tuple[State]:
            moving, logits = stepper.step(fixed, state.moving, state.tokens, state.index)
            tokens, gain = self._choose(logits, state.index >= limits)
            goes_on = ~state.is_over & (tokens != END)
            new = State(
                index=state.index + 1,
                tokens=tokens,
                is_over=~goes_on,
                log_probabilities=state.log_probabilities + tf.where(state.is_over, 0.0, gain),
                lengths=state.lengths + tf.cast(goes_on, tf.int32),
                sequences=write_column(state.sequences, state.index, tf.where(goes_on, tokens, 0)),
                moving=moving,
            )
            return (like(new, state),)

        (state,) = tf.while_loop(lambda s: ~tf.reduce_all(s.is_over), advance, (state,), maximum_iterations=max_length + 1)
        score = state.log_probabilities[:, None]
        return Hypotheses(state.sequences[:, None], state.lengths[:, None], score, score)

    def _choose(self, logits: Any, must_end: Any) -> tuple[Any, Any]:
        """The best allowed token of each row and its log-probability under the whole vocabulary."""
        words = logits[:, NUM_RESERVED:]
        tokens = tf.argmax(words, axis=-1, output_type=tf.int32) + NUM_RESERVED
        best = tf.reduce_max(words, axis=-1)
        largest = tf.reduce_max(logits, axis=-1)
        for token in (UNKNOWN, END) if self.allow_unknown else (END,):
            wins = logits[:, token] >= best  # reserved ids come first, as in a beam
            tokens, best = tf.where(wins, token, tokens), tf.maximum(best, logits[:, token])
        tokens = tf.where(must_end, END, tokens)
        best = tf.where(must_end, logits[:, END], best)
        return tokens, tf.minimum(best - log_total(logits, largest), 0.0)
