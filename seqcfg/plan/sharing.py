"""What one of several devices holds while it trains: its part of the weights and of what is computed from them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from seqcfg.plan import memory
from seqcfg.plan.declaration import Declaration, Weight


@dataclasses.dataclass(frozen=True)
class Sharing:
    """devices: how many there are in one process; rows: among how many the rows of a batch are divided;

    shapes {path: shape} of what a device holds of a weight, where that is not all of it.
    """

    devices: int
    rows: int
    shapes: dict[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)

    def numbers(self, weight: Weight, shape: tuple[int, ...] | None = None) -> int:
        """How many numbers of a weight, or of what an optimizer keeps for it in this shape, are on one device."""
        shape = weight.shape if shape is None else shape
        return math.prod(self.shapes.get(weight.path, shape) if shape == weight.shape else shape)


@dataclasses.dataclass(frozen=True)
class DeviceMemory:
    """Of one device, all in bytes; as in `memory.Memory`. devices: how many there are; numbers: of weights on each."""

    devices: int
    numbers: int
    weights: int
    gradients: int
    slots: int
    activations: int

    @property
    def training(self) -> int:
        """What a training step holds at least."""
        return self.weights + self.gradients + self.slots + self.activations


def per_device(recipe: Any, declaration: Declaration) -> DeviceMemory | None:
    """The memory of each device of a recipe that trains on several in one process; None for others."""
    strategy = getattr(recipe.training, "strategy", None)
    sharing = strategy.sharing(declaration) if strategy is not None else None
    if sharing is None or sharing.devices == 1:
        return None
    weights = list(declaration.all_weights())
    trained = [weight for weight in weights if weight.trainable]
    optimizer = getattr(recipe.training, "optimizer", None)
    kept = [(w, tuple(slot.shape)) for w in trained for slot in (optimizer.slots(w.shape).values() if optimizer is not None else ())]
    numbers = sum(sharing.numbers(weight) for weight in weights)
    share = _share_of_outputs(declaration, sharing)
    return DeviceMemory(
        devices=sharing.devices,
        numbers=numbers,
        weights=memory.BYTES * numbers,
        gradients=memory.BYTES * sum(sharing.numbers(weight) for weight in trained),
        slots=memory.BYTES * sum(sharing.numbers(weight, shape) for weight, shape in kept),
        activations=math.ceil(memory.of_recipe(recipe, declaration).activations * share / sharing.rows),
    )


def _share_of_outputs(declaration: Declaration, sharing: Sharing) -> float:
    """The part of all outputs of layers that a device of a group has: a divided kernel makes a divided output."""
    total = own = 0.0
    for node in declaration.nodes():
        if node.children or node.output is None:
            continue
        width = math.prod(node.output) if isinstance(node.output, tuple) else node.output
        parts = [weight.shape[-1] / sharing.shapes.get(weight.path, weight.shape)[-1] for weight in node.weights.values() if weight.shape]
        total, own = total + width, own + width / max(parts, default=1.0)
    return own / total if total else 1.0
