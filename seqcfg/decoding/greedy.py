"""Greedy search: always the most probable next token."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.reserved_ids import END, NUM_RESERVED, UNKNOWN
from seqcfg.decoding.chain import Chain, Outputs
from seqcfg.decoding.loop import State
from seqcfg.decoding.rows import log_probability
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.lazy import tf


class Greedy(Chain, type="greedy"):
    """Takes the most probable token at each position until the end id. The score is the log-probability of the output."""

    allow_unknown: bool = param(default=False, doc="Whether the unknown id may be produced.")

    num_outputs = rows = 1

    def found(self, own: Outputs) -> Hypotheses:
        score = own.log_probabilities
        return Hypotheses(own.sequences, own.lengths, score, score, self.is_over(own))

    def choose(self, stepper: Any, logits: Any, must_end: Any, state: State) -> tuple[Any, Any]:
        """The best allowed token of each row and its log-probability under the whole vocabulary."""
        words = logits[:, NUM_RESERVED:]
        tokens = tf.argmax(words, axis=-1, output_type=tf.int32) + NUM_RESERVED
        best = tf.reduce_max(words, axis=-1)
        for token in (END, UNKNOWN) if self.allow_unknown else (END,):
            tokens = tf.where(logits[:, token] >= best, token, tokens)  # equal logits: the smaller id, as in a beam
            best = tf.maximum(best, logits[:, token])
        tokens = tf.where(must_end, END, tokens)
        best = tf.where(must_end, logits[:, END], best)
        return tokens, log_probability(stepper, logits, best)
