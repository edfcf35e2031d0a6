"""Greedy search: always the most probable next token."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.reserved_ids import END, PAD, START, UNKNOWN
from seqcfg.decoding.best_tokens import largest, log_probability
from seqcfg.decoding.chain import Chain, Outputs
from seqcfg.decoding.loop import State
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.lazy import np, tf


class Greedy(Chain, type="greedy"):
    """Takes the most probable token at each position until the end id. The score is the log-probability of the output."""

    allow_unknown: bool = param(default=False, doc="Whether the unknown id may be produced.")

    num_outputs = rows = 1

    def found(self, own: Outputs) -> Hypotheses:
        score = own.log_probabilities
        return Hypotheses(own.sequences, own.lengths, score, score, self.is_over(own))

    def choose(self, stepper: Any, logits: Any, must_end: Any, state: State) -> tuple[Any, Any]:
        """The best allowed token of each row and its log-probability under the whole vocabulary."""
        barred = np.zeros([logits.shape[-1]], np.float32)
        barred[[PAD, START] if self.allow_unknown else [PAD, START, UNKNOWN]] = -np.inf
        best, tokens = largest(logits + barred, 1)  # of equal logits the smaller id, as in a beam
        tokens = tf.where(must_end, END, tokens[:, 0])
        best = tf.where(must_end, logits[:, END], best[:, 0])
        return tokens, log_probability(stepper, logits, best)
