"""Greedy search: always the most probable next token."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Search
from seqcfg.component.reserved_ids import END, NUM_RESERVED, UNKNOWN
from seqcfg.decoding.chain import follow
from seqcfg.decoding.rows import limits_of, log_probability
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.lazy import tf


class Greedy(Search, type="greedy"):
    """Takes the most probable token at each position until the end id. The score is the log-probability of the output."""

    allow_unknown: bool = param(default=False, doc="Whether the unknown id may be produced.")

    @property
    def num_outputs(self) -> int:
        return 1

    def __call__(self, stepper: Any, inputs: Any, max_length: Any, *, limits: Any = None, lines: Any = None) -> Hypotheses:
        """As `Beam`, with one hypothesis per sentence."""
        fixed, moving = stepper.start(inputs, max_length + 1)
        chain = follow(
            stepper, fixed, moving, limits_of(inputs, limits, max_length), max_length, lambda logits, end, _: self._choose(logits, end)
        )
        score = chain.log_probabilities[:, None]
        return Hypotheses(chain.sequences[:, None], chain.lengths[:, None], score, score, chain.is_over)

    def _choose(self, logits: Any, must_end: Any) -> tuple[Any, Any]:
        """The best allowed token of each row and its log-probability under the whole vocabulary."""
        words = logits[:, NUM_RESERVED:]
        tokens = tf.argmax(words, axis=-1, output_type=tf.int32) + NUM_RESERVED
        best = tf.reduce_max(words, axis=-1)
        for token in (END, UNKNOWN) if self.allow_unknown else (END,):
            tokens = tf.where(logits[:, token] >= best, token, tokens)  # equal logits: the smaller id, as in a beam
            best = tf.maximum(best, logits[:, token])
        tokens = tf.where(must_end, END, tokens)
        best = tf.where(must_end, logits[:, END], best)
        return tokens, log_probability(logits, best)
