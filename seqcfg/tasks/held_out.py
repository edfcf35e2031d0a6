"""Loss of the current weights on held-out batches."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from seqcfg.layers.create import view
from seqcfg.lazy import tf


class HeldOutLoss:
    """Sums the task's losses over batches without training; traced once for all batch shapes.

    `weight` is the number of weighted positions that the last call saw.
    """

    def __init__(self, task: Any, declaration: Any, precision: str, loss: str = "loss"):
        self._task, self._declaration, self._precision, self._loss = task, declaration, precision, loss
        self._traced: Any = None
        self.weight = 0.0

    def __call__(self, weights: dict[str, Any], batches: Iterable[dict[str, Any]]) -> dict[str, float]:
        """{"loss", "nll", "perplexity"} per weighted position, and "left_out" examples where the loss cannot use some.

        weights are variables or arrays by path.
        """
        total = nll = weight = left_out = 0.0
        for batch in batches:
            tensors = {name: tf.convert_to_tensor(value) for name, value in batch.items()}
            if self._traced is None:
                self._traced = self._trace(weights, tensors)
            sums = self._traced(weights, tensors)
            before = (total, nll, weight, left_out)
            total, nll, weight, left_out = (one + float(new) for one, new in zip(before, sums, strict=True))
        self.weight = weight
        if not weight:
            return {}
        found = {"loss": total / weight, "nll": nll / weight, "perplexity": math.exp(min(nll / weight, 700.0))}
        return found | ({"left_out": left_out} if left_out else {})

    def _trace(self, weights: dict[str, Any], batch: dict[str, Any]) -> Any:
        def sums(weights: dict[str, Any], batch: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
            w = view(self._declaration, weights, dtype=self._precision)
            loss = self._task.losses(w, batch)[self._loss]
            return loss.total, loss.metrics.get("nll", loss.total), loss.weight, loss.metrics.get("left_out", tf.constant(0.0))

        shapes = {name: tf.TensorSpec([None] * len(value.shape), value.dtype) for name, value in batch.items()}
        specs = {path: tf.TensorSpec(value.shape, value.dtype) for path, value in weights.items()}
        return tf.function(sums, autograph=False, input_signature=[specs, shapes])
