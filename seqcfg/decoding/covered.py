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
        is_real = real_positions(inputs)
        fixed, moving = self._stepper.start(inputs, max_length)
        return {"model": fixed, "is_real": is_real}, {"model": moving, "coverage": tf.zeros(tf.shape(is_real))}

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        seen: dict[str, Any] = {}
        before, self._w.context.watched = self._w.context.watched, seen
        try:
            inner, logits = self._stepper.step(fixed["model"], moving["model"], tokens, index)
        finally:
            self._w.context.watched = before
        refuse_nothing(seen)
        shape = tf.shape(moving["coverage"])
        layers = [tf.reshape(mean_over_heads(one), shape) for one in seen.values()]
        return {"model": inner, "coverage": moving["coverage"] + tf.add_n(layers) / len(layers)}, logits

    def logits(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        return self._stepper.logits(inputs, ids, lengths)


def mean_over_heads(attention: Any) -> Any:
    """[batch, heads, target, source] -> [batch, target, source], in float32."""
    return tf.reduce_mean(tf.cast(attention, tf.float32), axis=1)


def real_positions(inputs: dict[str, Any]) -> Any:
    """Which source positions are no padding [batch, source]; raises UserError where there is no source."""
    if "source_length" not in inputs:
        raise UserError("coverage needs a source, and this task has none", hint="decoding.search.coverage_penalty: 0")
    return tf.sequence_mask(inputs["source_length"], extent(inputs["source"], 1))


def refuse_nothing(seen: dict[str, Any]) -> None:
    """Raises UserError where no layer showed its attention."""
    if not seen:
        raise UserError("no layer of the model attends to a memory", hint="decoding.search.coverage_penalty: 0")
