"""A layer run along time in both directions."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer, SequenceLayer
from seqcfg.errors import UserError
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class Bidirectional(SequenceLayer, type="bidirectional"):
    """Two layers of one design, the second on the reversed sequence, their results joined position by position (Schuster & Paliwal 1997).

    Reversal puts padding first: the layer must hold its state there, as recurrent layers do.
    """

    feature_axes = None
    respects_segments = False

    layer: Layer = param(doc="The design; it keeps the length.")
    combine: Literal["concat", "sum", "mean"] = param(default="concat", doc="How the two results become one.")

    def declare(self, d: Any, dim: Any) -> Any:
        width = d.child("forward", self.layer, dim)
        d.child("backward", self.layer, dim)
        if self.combine != "concat":
            return width
        return (*width[:-1], 2 * width[-1]) if isinstance(width, tuple) else 2 * width

    def kept(self, d: Any, at: Any) -> float:
        return at.inputs * d.features_in  # the reversed input

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, ...] -> [batch, time, ..., width], twice the layer's width when concatenated."""
        onward = w.forward(x)
        back = tf.reverse(w.backward(reverse(x)).values, [1])
        if self.combine == "concat":
            return onward.with_values(tf.concat([onward.values, back], -1))
        total = onward.values + back
        return onward.with_values(total / 2 if self.combine == "mean" else total)

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        raise UserError(f"{w.path}: a layer that reads the future cannot run step by step", hint="use its layer in one direction")

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        return self.start(w, x, None)


def reverse(x: Sequence) -> Sequence:
    """The sequence last position first."""
    along_time = {name: getattr(x, name) for name in ("values", "mask", "segments", "positions")}
    return dataclasses.replace(x, **{name: tf.reverse(value, [1]) for name, value in along_time.items() if value is not None})
