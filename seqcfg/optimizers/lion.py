"""Lion."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Optimizer, Slot
from seqcfg.component.types import NonNegativeFloat, Probability
from seqcfg.lazy import tf


class Lion(Optimizer, type="lion"):
    """w -= rate (sign(b1 m + (1 - b1) g) + decay w), then m = b2 m + (1 - b2) g (arXiv:2302.06675, program 1).

    Every entry moves by the rate, so rates are 3 to 10 times smaller than Adam's, and decays as much larger.
    """

    beta1: Probability = param(default=0.9, doc="Share of the mean in the direction.")
    beta2: Probability = param(default=0.99, doc="Decay of the mean of the gradient.")
    weight_decay: NonNegativeFloat = param(default=0.0, doc="Share of a weight that is taken off per update, times the rate.")

    def slots(self, shape: tuple[int, ...]) -> dict[str, Slot]:
        """What is kept for a weight of this shape."""
        return {"mean": Slot(shape)}

    def scalars(self, rate: Any, step: Any) -> dict[str, Any]:
        """Numbers shared by all weights."""
        return {"rate": rate}

    def update(self, gradient: Any, weight: Any, slots: dict[str, Any], scalars: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The weight and its slots after one update; the decay uses the weight before the step."""
        direction = tf.sign(self.beta1 * slots["mean"] + (1.0 - self.beta1) * gradient)
        mean = self.beta2 * slots["mean"] + (1.0 - self.beta2) * gradient
        return weight - scalars["rate"] * (direction + self.weight_decay * weight), {"mean": mean}
