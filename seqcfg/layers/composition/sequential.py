"""Layers one after the other."""

from __future__ import annotations

import functools
import math
from typing import Annotated, Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer, SequenceLayer
from seqcfg.component.types import PositiveInt, rules
from seqcfg.layers.composition.stepping import start_each, step_child


class Sequential(SequenceLayer, type="sequential"):
    """Applies its layers in order, each to the result of the one before."""

    feature_axes = None

    layers: list[Layer] = param(doc="The layers, first to last.")

    def declare(self, d: Any, dim: Any) -> Any:
        return d.chain("layers", self.layers, dim)

    def num_positions(self, length: int) -> int:
        return functools.reduce(lambda positions, layer: layer.num_positions(positions), self.layers, length)

    def step_positions(self) -> int:
        return chain_step_positions(self.layers)

    def __call__(self, w: Any, x: Any) -> Any:
        for layer in w.layers:
            x = layer(x)
        return x

    def start(self, w: Any, sequence: Any, max_length: Any) -> tuple[Any, Any]:
        return start_each(numbered(w.layers), sequence, max_length)

    def step(self, w: Any, x: Any, fixed: Any, moving: Any) -> tuple[Any, Any]:
        return step_chain(w.layers, x, fixed, moving)


class Repeat(SequenceLayer, type="repeat"):
    """Applies several layers of one design in order; each has weights of its own, named blocks/0, blocks/1 and so on."""

    feature_axes = None

    times: Annotated[PositiveInt, rules(maximum=10_000)] = param(doc="How many of them.")
    layer: Layer = param(doc="The design.")

    def declare(self, d: Any, dim: Any) -> Any:
        return d.chain("blocks", [self.layer] * self.times, dim)

    def num_positions(self, length: int) -> int:
        return functools.reduce(lambda positions, _: self.layer.num_positions(positions), range(self.times), length)

    def step_positions(self) -> int:
        return chain_step_positions([self.layer] * self.times)

    def __call__(self, w: Any, x: Any) -> Any:
        for block in w.blocks:
            x = block(x)
        return x

    def start(self, w: Any, sequence: Any, max_length: Any) -> tuple[Any, Any]:
        return start_each(numbered(w.blocks), sequence, max_length)

    def step(self, w: Any, x: Any, fixed: Any, moving: Any) -> tuple[Any, Any]:
        return step_chain(w.blocks, x, fixed, moving)


def chain_step_positions(layers: list[Layer]) -> int:
    """What a step of layers in order takes a whole number of: each sees the positions that those before it leave."""
    whole, rate = 1, 1
    for layer in layers:
        whole = math.lcm(whole, rate * layer.step_positions())
        rate *= layer.stride_over_time()
    return whole


def numbered(views: list[Any]) -> dict[str, Any]:
    return {str(index): view for index, view in enumerate(views)}


def step_chain(views: list[Any], x: Any, fixed: Any, moving: Any) -> tuple[Any, Any]:
    """One position through views in order; states are keyed by index."""
    moved: dict[str, Any] = {}
    for name, view in numbered(views).items():
        x = step_child(name, view, x, fixed, moving, moved)
    return x, moved
