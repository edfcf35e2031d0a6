"""LAMB: Adam whose step is as long as the weight, for very large batches."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Optimizer, Slot
from seqcfg.component.types import NonNegativeFloat, PositiveFloat, Probability
from seqcfg.lazy import tf


class LAMB(Optimizer, type="lamb"):
    """w -= rate |w| / |u| u with u = m^ / (sqrt(v^) + epsilon) + decay w (arXiv:1904.00962, algorithm 2).

    m^ and v^ are Adam's corrected means; norms are of one weight (a layer's kernel, say). Where one of them is 0 the
    ratio is 1, so that weights which start at 0 can move.
    """

    beta1: Probability = param(default=0.9, doc="Decay of the mean of the gradient.")
    beta2: Probability = param(default=0.999, doc="Decay of the mean of the squared gradient.")
    epsilon: PositiveFloat = param(default=1e-6, doc="Keeps the division finite; added to the root.")
    weight_decay: NonNegativeFloat = param(default=0.01, doc="Share of the weight in the direction.")

    def slots(self, shape: tuple[int, ...]) -> dict[str, Slot]:
        """What is kept for a weight of this shape."""
        return {"mean": Slot(shape), "square": Slot(shape)}

    def scalars(self, rate: Any, step: Any) -> dict[str, Any]:
        """Numbers shared by all weights; step counts finished updates."""
        t = tf.cast(step, tf.float32) + 1.0
        return {"rate": rate, "mean": 1.0 / (1.0 - tf.pow(self.beta1, t)), "square": 1.0 / (1.0 - tf.pow(self.beta2, t))}

    def update(self, gradient: Any, weight: Any, slots: dict[str, Any], scalars: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The weight and its slots after one update."""
        mean = self.beta1 * slots["mean"] + (1.0 - self.beta1) * gradient
        square = self.beta2 * slots["square"] + (1.0 - self.beta2) * tf.square(gradient)
        direction = mean * scalars["mean"] / (tf.sqrt(square * scalars["square"]) + self.epsilon) + self.weight_decay * weight
        lengths = tf.norm(weight), tf.norm(direction)
        ratio = tf.where((lengths[0] > 0) & (lengths[1] > 0), tf.math.divide_no_nan(*lengths), 1.0)
        return weight - scalars["rate"] * ratio * direction, {"mean": mean, "square": square}
