"""AdaGrad."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Optimizer, Slot
from seqcfg.component.types import NonNegativeFloat
from seqcfg.lazy import tf


class AdaGrad(Optimizer, type="adagrad"):
    """s = s + g^2, w -= rate g / (sqrt(s) + epsilon) (Duchi, Hazan and Singer 2011, figure 1, diagonal)."""

    start: NonNegativeFloat = param(default=0.1, doc="Where the sum of squared gradients starts; 1 makes the first updates small.")
    epsilon: NonNegativeFloat = param(default=1e-7, doc="Keeps the division finite; added to the root.")

    def check(self):
        if not self.start and not self.epsilon:
            yield "epsilon", "a gradient of 0 is divided by 0 when the sum starts at 0, too", "make it 1e-7, or the start positive"

    def slots(self, shape: tuple[int, ...]) -> dict[str, Slot]:
        """What is kept for a weight of this shape."""
        return {"square": Slot(shape, self.start)}

    def scalars(self, rate: Any, step: Any) -> dict[str, Any]:
        """Numbers shared by all weights."""
        return {"rate": rate}

    def update(self, gradient: Any, weight: Any, slots: dict[str, Any], scalars: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The weight and its slots after one update."""
        square = slots["square"] + tf.square(gradient)
        return weight - scalars["rate"] * gradient / (tf.sqrt(square) + self.epsilon), {"square": square}
