"""A layer whose weights stand in several places."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer, SequenceLayer
from seqcfg.component.types import Name
from seqcfg.layers.composition.stepping import start_each, step_child


class Shared(SequenceLayer, type="shared"):
    """Uses the weights of the first layer shared under this name; every place must describe the same layer."""

    feature_axes = None

    name: Name = param(doc="Places with the same name have the same weights.")
    layer: Layer = param(doc="The layer.")

    def declare(self, d: Any, dim: Any) -> Any:
        return d.share("layer", self.name, self.layer, dim)

    def num_positions(self, length: int) -> int:
        return self.layer.num_positions(length)

    def __call__(self, w: Any, x: Any) -> Any:
        return w.layer(x)

    def start(self, w: Any, sequence: Any, max_length: Any) -> tuple[Any, Any]:
        return start_each({"layer": w.layer}, sequence, max_length)

    def step(self, w: Any, x: Any, fixed: Any, moving: Any) -> tuple[Any, Any]:
        moved: dict[str, Any] = {}
        return step_child("layer", w.layer, x, fixed, moving, moved), moved
