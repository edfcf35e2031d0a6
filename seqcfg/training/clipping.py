"""Bounds on gradients."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.types import PositiveFloat
from seqcfg.lazy import tf


class Clip(Record):
    """Bounds on gradients, applied to the mean gradient of a step in the order of the fields."""

    value: PositiveFloat | None = param(default=None, doc="Highest absolute value of a single gradient entry.")
    weight_norm: PositiveFloat | None = param(default=None, doc="Highest norm of the gradient of one weight; above it is scaled.")
    norm: PositiveFloat | None = param(default=None, doc="Highest norm of all gradients of a learner together; above it they are scaled.")

    def __call__(self, gradients: list[Any], norm: Any) -> list[Any]:
        """The bounded gradients; `norm` is that of all of them before anything was done to them."""
        if self.value is not None:
            gradients = [tf.clip_by_value(gradient, -self.value, self.value) for gradient in gradients]
        if self.weight_norm is not None:
            gradients = [tf.clip_by_norm(gradient, self.weight_norm) for gradient in gradients]
        if self.norm is not None:
            factor = self.norm / tf.maximum(norm, self.norm)
            gradients = [gradient * factor for gradient in gradients]
        return gradients
