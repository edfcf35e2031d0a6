"""Adam, and Adam with decoupled weight decay."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Optimizer, Slot
from seqcfg.component.types import NonNegativeFloat, PositiveFloat, Probability
from seqcfg.lazy import tf


class Adam(Optimizer, type="adam"):
    """m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, w -= rate m^ / (sqrt(v^) + epsilon) (arXiv:1412.6980, algorithm 1).

    m^ = m / (1 - b1^t) and v^ = v / (1 - b2^t) with t counted from 1.
    """

    beta1: Probability = param(default=0.9, doc="Decay of the mean of the gradient.")
    beta2: Probability = param(default=0.999, doc="Decay of the mean of the squared gradient.")
    epsilon: PositiveFloat = param(default=1e-8, doc="Keeps the division finite; added to the root.")

    def slots(self, shape: tuple[int, ...]) -> dict[str, Slot]:
        """What is kept for a weight of this shape."""
        return {"mean": Slot(shape), "square": Slot(shape)}

    def scalars(self, rate: Any, step: Any) -> dict[str, Any]:
        """Numbers shared by all weights; step counts finished updates.

        rate m^ / (sqrt(v^) + epsilon) is written with both corrections folded in: rate r / (1 - b1^t) m / (sqrt(v) + epsilon r)
        with r = sqrt(1 - b2^t), which saves two passes over every weight.
        """
        t = tf.cast(step, tf.float32) + 1.0
        root = tf.sqrt(1.0 - tf.pow(self.beta2, t))
        return {
            "rate": rate,
            "scaled_rate": rate * root / (1.0 - tf.pow(self.beta1, t)),
            "epsilon": self.epsilon * root,
            "keep_mean": tf.constant(self.beta1),
            "new_mean": tf.constant(1.0 - self.beta1),
            "keep_square": tf.constant(self.beta2),
            "new_square": tf.constant(1.0 - self.beta2),
        }

    def update(self, gradient: Any, weight: Any, slots: dict[str, Any], scalars: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The weight and its slots after one update."""
        mean = scalars["keep_mean"] * slots["mean"] + scalars["new_mean"] * gradient
        square = scalars["keep_square"] * slots["square"] + scalars["new_square"] * tf.square(gradient)
        return weight - scalars["scaled_rate"] * mean / (tf.sqrt(square) + scalars["epsilon"]), {"mean": mean, "square": square}


class AdamW(Adam, type="adamw"):
    """Adam with decoupled weight decay: w -= rate decay w besides the step of Adam (arXiv:1711.05101, algorithm 2)."""

    weight_decay: NonNegativeFloat = param(default=0.01, doc="Share of a weight that is taken off per update, times the rate.")

    def scalars(self, rate: Any, step: Any) -> dict[str, Any]:
        """As Adam, and the share that decays."""
        return super().scalars(rate, step) | {"decay": rate * self.weight_decay}

    def update(self, gradient: Any, weight: Any, slots: dict[str, Any], scalars: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """As Adam; the decay uses the weight before the step."""
        stepped, slots = super().update(gradient, weight, slots, scalars)
        return stepped - scalars["decay"] * weight, slots
