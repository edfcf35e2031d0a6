"""A layer whose result is added to its input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer, SequenceLayer
from seqcfg.component.types import Probability
from seqcfg.layers.composition.stepping import start_each, step_child
from seqcfg.layers.dropout import dropout, factors_kept
from seqcfg.layers.sequence import values_of, with_values


class Residual(SequenceLayer, type="residual"):
    """x + dropout(layer(norm(x))), or norm(x + dropout(layer(x))) with the norm after (arXiv:2002.04745, figure 1).

    `input: normalized` adds norm(x) instead of x, as some systems do in their attention blocks.
    """

    feature_axes = None

    layer: Layer = param(doc="The layer; it must keep the width.")
    norm: Layer | None = param(default=None, doc="Normalisation; none when left out.")
    norm_position: Literal["before", "after"] = param(default="before", doc="Whether the layer's input or the sum is normalised.")
    input: Literal["raw", "normalized"] = param(default="raw", doc="What the layer's result is added to.")
    dropout: Probability = param(default=0.0, doc="Probability of a 0 in the layer's result during training.")
    scale: float = param(default=1.0, doc="Factor on the layer's result before it is added; 0.5 in half-step feed-forward layers.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.input == "normalized" and (self.norm is None or self.norm_position == "after"):
            yield "input", "there is no normalised input to add", "give a norm with norm_position before, or leave input out"

    def declare(self, d: Any, dim: Any) -> Any:
        if self.norm is not None:
            d.child("norm", self.norm, dim)
        out = d.child("layer", self.layer, dim)
        if out != dim:
            raise d.misfit(f"the layer gives the width {out} and cannot be added to its input of {dim}", "make both equal", "layer")
        return dim

    def kept(self, d: Any, at: Any) -> float:
        return at.outputs * d.features_out * factors_kept(self.dropout)

    def __call__(self, w: Any, x: Any) -> Any:
        if self.norm is None:
            return self._add(w, x, w.layer(x))
        if self.norm_position == "after":
            return w.norm(self._add(w, x, w.layer(x)))
        normed = w.norm(x)
        return self._add(w, normed if self.input == "normalized" else x, w.layer(normed))

    def start(self, w: Any, sequence: Any, max_length: Any) -> tuple[Any, Any]:
        children = {"layer": w.layer} if self.norm is None else {"norm": w.norm, "layer": w.layer}
        return start_each(children, sequence, max_length)

    def step(self, w: Any, x: Any, fixed: Any, moving: Any) -> tuple[Any, Any]:
        moved: dict[str, Any] = {}
        if self.norm is None:
            return self._add(w, x, step_child("layer", w.layer, x, fixed, moving, moved)), moved
        if self.norm_position == "after":
            added = self._add(w, x, step_child("layer", w.layer, x, fixed, moving, moved))
            return step_child("norm", w.norm, added, fixed, moving, moved), moved
        normed = step_child("norm", w.norm, x, fixed, moving, moved)
        y = step_child("layer", w.layer, normed, fixed, moving, moved)
        return self._add(w, normed if self.input == "normalized" else x, y), moved

    def _add(self, w: Any, x: Any, y: Any) -> Any:
        """x plus the layer's result y; what y knows of masks and positions stays."""
        values = dropout(w, values_of(y), self.dropout)
        if self.scale != 1.0:
            values = values * self.scale
        return with_values(y, values_of(x) + values)
