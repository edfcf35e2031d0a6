"""How much attention each source position got so far, for searches that ask for coverage."""

from __future__ import annotations

from typing import Any

from seqcfg.decoding.rows import extent
from seqcfg.errors import UserError
from seqcfg.lazy import tf


class Covered:
    """A stepper that adds up the attention of its steps: moving["coverage"] [rows, source], fixed["is_real"] [batch, source].

    It is the mean over heads and layers of attention to the memory of the model whose view is `w`.
    """

    def __init__(self, stepper: Any, w: Any):
        self._stepper, self._w = stepper, w
        self.vocabulary, self.gives_scores = stepper.vocabulary, getattr(stepper, "gives_scores", False)
        if hasattr(stepper, "wanted"):
            self.wanted = lambda fixed, moving: stepper.wanted(fixed["model"], moving["model"])

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]:
        if "source_length" not in inputs:
            raise UserError("coverage needs a source, and this task has none", hint="decoding.search.coverage_penalty: 0")
        fixed, moving = self._stepper.start(inputs, max_length)
        is_real = tf.sequence_mask(inputs["source_length"], extent(inputs["source"], 1))
        return {"model": fixed, "is_real": is_real}, {"model": moving, "coverage": tf.zeros(tf.shape(is_real))}

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        seen: dict[str, Any] = {}
        before, self._w.context.watched = self._w.context.watched, seen
        try:
            inner, logits = self._stepper.step(fixed["model"], moving["model"], tokens, index)
        finally:
            self._w.context.watched = before
        if not seen:
            raise UserError("no layer of the model attends to a memory", hint="decoding.search.coverage_penalty: 0")
        shape = tf.shape(moving["coverage"])
        layers = [tf.reshape(tf.reduce_mean(tf.cast(one, tf.float32), axis=1), shape) for one in seen.values()]
        return {"model": inner, "coverage": moving["coverage"] + tf.add_n(layers) / len(layers)}, logits

    def logits(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        return self._stepper.logits(inputs, ids, lengths)
