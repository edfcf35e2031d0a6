"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Optimizer, Slot
from seqcfg.component.types import Probability


class SGD(Optimizer, type="sgd"):
    """v = momentum v + g, w -= rate v; with Nesterov's look-ahead w -= rate (g + momentum v) (Sutskever et al. 2013)."""

    momentum: Probability = param(default=0.0, doc="Decay of the velocity; 0 for plain descent.")
    nesterov: bool = param(default=False, doc="Whether the gradient is taken as if at the point that the velocity leads to.")

    def slots(self, shape: tuple[int, ...]) -> dict[str, Slot]:
        """What is kept for a weight of this shape."""
        return {"velocity": Slot(shape)} if self.momentum else {}

    def scalars(self, rate: Any, step: Any) -> dict[str, Any]:
        """Numbers shared by all weights."""
        return {"rate": rate}

    def update(self, gradient: Any, weight: Any, slots: dict[str, Any], scalars: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The weight and its slots after one update."""
        if not self.momentum:
            return weight - scalars["rate"] * gradient, slots
        velocity = self.momentum * slots["velocity"] + gradient
        direction = gradient + self.momentum * velocity if self.nesterov else velocity
        return weight - scalars["rate"] * direction, {"velocity": velocity}
