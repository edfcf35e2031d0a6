"""Greedy search: always the most probable next token."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.reserved_ids import END, PAD, START, UNKNOWN
from seqcfg.component.types import NonNegativeInt
from seqcfg.decoding.best_tokens import best_tokens, largest
from seqcfg.decoding.chain import Chain, Outputs
from seqcfg.decoding.loop import State
from seqcfg.decoding.rows import total_of
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.lazy import tf


class Greedy(Chain, type="greedy"):
    """Takes the most probable token at each position until the end id. The score is the log-probability of the output."""

    allow_unknown: bool = param(default=False, doc="Whether the unknown id may be produced.")

    min_length: NonNegativeInt = param(default=0, is_later=True, doc="The shortest output, in tokens without the end id.")

    num_outputs = rows = 1

    def found(self, own: Outputs) -> Hypotheses:
        score = own.log_probabilities
        return Hypotheses(own.sequences, own.lengths, score, score, self.is_over(own))

    def choose(self, stepper: Any, logits: Any, must_end: Any, state: State) -> tuple[Any, Any]:
        """The best allowed token of each row and its log-probability under the whole vocabulary."""
        barred = [PAD, START] if self.allow_unknown else [PAD, START, UNKNOWN]
        count = len(barred) + (2 if self.min_length else 1)
        values, ids = best_tokens(logits, min(count, logits.shape[-1]))  # one of these is allowed
        total = total_of(stepper, logits, ids[:, 0], values[:, 0])
        is_barred = tf.reduce_any(ids[..., None] == tf.constant(barred), axis=-1)
        if self.min_length:
            is_barred |= (ids == END) & (state.index < self.min_length)
        best, places = largest(tf.where(is_barred, float("-inf"), values), 1)
        tokens = tf.where(must_end, END, tf.gather(ids, places[:, 0], batch_dims=1))
        chosen = tf.where(must_end, logits[:, END], best[:, 0])
        return tokens, tf.minimum(chosen - total, 0.0)  # never above 0 by rounding
