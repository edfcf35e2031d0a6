"""The vectors that logits were made from, kept for searches that compare positions."""

from __future__ import annotations

from typing import Any

from seqcfg.errors import UserError
from seqcfg.lazy import tf


class Remembering:
    """A stepper that keeps moving["hidden"] [rows, positions, dim]; it wants one that offers `look`, as those of single models do."""

    gives_scores = False

    def __init__(self, stepper: Any):
        if not hasattr(stepper, "look"):
            raise UserError(
                "contrastive search compares the vectors of one model", hint="leave out ensemble, fusion, and rules such as distinct_ngrams"
            )
        self._stepper, self.vocabulary = stepper, stepper.vocabulary

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]:
        fixed, moving = self._stepper.start(inputs, max_length)
        batch = tf.shape(tf.nest.flatten(inputs)[0])[0]
        return fixed, {"model": moving, "hidden": tf.zeros([batch, max_length, self._stepper.hidden_size])}

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        inner, logits, hidden = self._stepper.look(fixed, moving["model"], tokens, index)
        is_here = (tf.range(tf.shape(moving["hidden"])[1]) == index)[:, None]
        kept = tf.where(is_here, tf.cast(hidden, tf.float32)[:, None], moving["hidden"])
        return {"model": inner, "hidden": kept}, logits

    def logits(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        return self._stepper.logits(inputs, ids, lengths)
