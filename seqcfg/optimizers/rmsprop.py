"""RMSProp."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Optimizer, Slot
from seqcfg.component.types import PositiveFloat, Probability
from seqcfg.lazy import tf


class RMSProp(Optimizer, type="rmsprop"):
    """s = d s + (1 - d) g^2, v = momentum v + rate g / sqrt(s - a^2 + epsilon), w -= v (Tieleman and Hinton 2012, lecture 6.5).

    a = d a + (1 - d) g when centered, else 0 (arXiv:1308.0850, equations 38 to 45). The squares start at 0.
    """

    decay: Probability = param(default=0.9, doc="Decay of the mean of the squared gradient.")
    momentum: Probability = param(default=0.0, doc="Decay of the velocity; 0 for none.")
    epsilon: PositiveFloat = param(default=1e-7, doc="Keeps the division finite; added under the root.")
    centered: bool = param(default=False, doc="Whether the root is of the variance rather than of the mean square.")

    def slots(self, shape: tuple[int, ...]) -> dict[str, Slot]:
        """What is kept for a weight of this shape."""
        names = ["square", *(["velocity"] if self.momentum else []), *(["mean"] if self.centered else [])]
        return {name: Slot(shape) for name in names}

    def scalars(self, rate: Any, step: Any) -> dict[str, Any]:
        """Numbers shared by all weights."""
        return {"rate": rate}

    def update(self, gradient: Any, weight: Any, slots: dict[str, Any], scalars: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The weight and its slots after one update."""
        now = {"square": self.decay * slots["square"] + (1.0 - self.decay) * tf.square(gradient)}
        variance = now["square"]
        if self.centered:
            now["mean"] = self.decay * slots["mean"] + (1.0 - self.decay) * gradient
            variance = variance - tf.square(now["mean"])
        move = scalars["rate"] * gradient * tf.math.rsqrt(variance + self.epsilon)
        if self.momentum:
            move = now["velocity"] = self.momentum * slots["velocity"] + move
        return weight - move, now
