"""Several layers side by side."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer, SequenceLayer
from seqcfg.layers.composition.sequential import numbered
from seqcfg.layers.composition.stepping import start_each, step_child
from seqcfg.layers.sequence import values_of, with_values
from seqcfg.lazy import tf


class Parallel(SequenceLayer, type="parallel"):
    """Gives the same input to each of its layers and combines what they return."""

    feature_axes = None

    layers: list[Layer] = param(doc="The layers; they must agree in length, and in width unless concatenated.")
    combine: Literal["sum", "mean", "concat"] = param(default="sum", doc="How the results become one.")

    def declare(self, d: Any, dim: Any) -> Any:
        if not self.layers:
            raise d.misfit("has no layers", "give at least one", "layers")
        widths = d.fan_out("layers", self.layers, dim)
        if self.combine == "concat":
            return _concatenated(d, widths)
        if any(width != widths[0] for width in widths):
            raise d.misfit(f"the widths {widths} cannot be combined by {self.combine}", "make them equal, or combine by concat", "layers")
        return widths[0]

    def num_positions(self, length: int) -> int:
        return self.layers[0].num_positions(length)

    def __call__(self, w: Any, x: Any) -> Any:
        return self._combine([layer(x) for layer in w.layers])

    def start(self, w: Any, sequence: Any, max_length: Any) -> tuple[Any, Any]:
        return start_each(numbered(w.layers), sequence, max_length)

    def step(self, w: Any, x: Any, fixed: Any, moving: Any) -> tuple[Any, Any]:
        moved: dict[str, Any] = {}
        results = [step_child(name, layer, x, fixed, moving, moved) for name, layer in numbered(w.layers).items()]
        return self._combine(results), moved

    def _combine(self, results: list[Any]) -> Any:
        values = [values_of(result) for result in results]
        if self.combine == "concat":
            return with_values(results[0], tf.concat(values, -1))
        total = tf.add_n(values)
        return with_values(results[0], total / len(values) if self.combine == "mean" else total)


def _concatenated(d: Any, widths: list[Any]) -> Any:
    """The width of results that are joined along their last axis; the axes before it must agree."""
    if not isinstance(widths[0], tuple):
        return sum(widths)
    if any(width[:-1] != widths[0][:-1] for width in widths):
        raise d.misfit(f"the widths {widths} cannot be joined: they differ before their last axis", "make these equal", "layers")
    return (*widths[0][:-1], sum(width[-1] for width in widths))


class Branch(SequenceLayer, type="branch"):
    """Cuts the features into equal parts, gives one to each of its layers, and concatenates what they return."""

    layers: list[Layer] = param(doc="The layers, for the parts in order; their number must divide the width.")

    def declare(self, d: Any, dim: int) -> int:
        if not self.layers or dim % len(self.layers):
            raise d.misfit(f"{len(self.layers)} layers do not divide the width {dim} they are given", "", "layers")
        return sum(d.fan_out("layers", self.layers, dim // len(self.layers)))

    def __call__(self, w: Any, x: Any) -> Any:
        return self._join([layer(part) for layer, part in zip(w.layers, self._cut(x), strict=True)])

    def start(self, w: Any, sequence: Any, max_length: Any) -> tuple[Any, Any]:
        return start_each(numbered(w.layers), sequence, max_length)

    def step(self, w: Any, x: Any, fixed: Any, moving: Any) -> tuple[Any, Any]:
        moved: dict[str, Any] = {}
        parts = zip(numbered(w.layers).items(), self._cut(x), strict=True)
        return self._join([step_child(name, layer, part, fixed, moving, moved) for (name, layer), part in parts]), moved

    def _cut(self, x: Any) -> list[Any]:
        return [with_values(x, part) for part in tf.split(values_of(x), len(self.layers), -1)]

    def _join(self, results: list[Any]) -> Any:
        return with_values(results[0], tf.concat([values_of(result) for result in results], -1))
