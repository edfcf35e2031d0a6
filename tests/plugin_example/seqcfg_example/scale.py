"""A layer of a plugin."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer
from seqcfg.initializers.constant import Constant


class Scale(Layer, type="example.scale"):
    """Multiplies each feature by a number of its own, which starts at `start`."""

    start: float = param(default=1.0, doc="Value of every factor before training.")

    def declare(self, d: Any, dim: int) -> int:
        d.weight("factor", (dim,), Constant(value=self.start), axes=("output",))
        return dim

    def __call__(self, w: Any, x: Any) -> Any:
        """x [..., dim] -> [..., dim]."""
        return x * w.factor
