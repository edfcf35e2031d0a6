"""A half of the features that decides how much of the other half passes."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer
from seqcfg.component.types import Activation, PositiveInt
from seqcfg.layers.activation import activate, activation_kept
from seqcfg.layers.dense import Dense
from seqcfg.lazy import tf


class GatedLinearUnit(Layer, type="gated_linear_unit"):
    """a activation(b) for the halves a and b of the features (arXiv:1612.08083, equation 1; other activations arXiv:2002.05202)."""

    units: PositiveInt | None = param(
        default=None, doc="Width of the result, whose halves an affine map makes; left out, the input's own halves are taken."
    )
    activation: Activation = param(default="sigmoid", doc="Applied to the second half.")

    def declare(self, d: Any, dim: int) -> int:
        if self.units is not None:
            d.child("halves", Dense(units=2 * self.units), dim)
            return self.units
        if dim % 2:
            raise d.misfit(f"the width {dim} has no halves", f"{dim + 1} has")
        return dim // 2

    def kept(self, d: Any, at: Any) -> float:
        return at.outputs * d.features_out * (2 + activation_kept(self.activation))  # both factors, and what one is made from

    def __call__(self, w: Any, x: Any) -> Any:
        """x [..., dim] -> [..., units], or [..., dim / 2]."""
        a, b = tf.split(x if self.units is None else w.halves(x), 2, -1)
        return a * activate(self.activation, b)
