"""Adafactor: Adam's second moments in a row and a column per matrix."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Optimizer, Slot
from seqcfg.component.types import NonNegativeFloat, PositiveFloat, PositiveInt, Probability
from seqcfg.lazy import tf


class Adafactor(Optimizer, type="adafactor"):
    """w -= a u / max(1, rms(u) / d) with u = g / sqrt(v) (arXiv:1804.04235, algorithms 4 and 5).

    v = r c / mean(r), where r and c decay towards the means of g^2 + epsilon along the last axis and the one before,
    with the decay b = 1 - (t + 1)^-p; weights that are no matrices, or too small, keep v whole. a = rate max(floor,
    rms(w)) when scaled by the weight, else the rate. A momentum, which the paper leaves out, averages the steps.
    """

    decay_power: PositiveFloat = param(default=0.8, doc="The p of the decay.")
    epsilon: PositiveFloat = param(default=1e-30, doc="Added to squared gradients.")
    clip_rms: PositiveFloat = param(default=1.0, doc="The d above which an update's root mean square is scaled down.")
    scale_by_weight: bool = param(default=True, doc="Whether the rate is a share of the weight's root mean square.")
    weight_floor: PositiveFloat = param(default=1e-3, doc="Root mean square that a weight has at least where the rate is scaled by it.")
    momentum: Probability = param(default=0.0, doc="Decay of the mean of the steps; 0 keeps none and saves its memory.")
    weight_decay: NonNegativeFloat = param(default=0.0, doc="Share of a weight that is taken off per update, times the rate.")
    min_factored: PositiveInt = param(default=128, doc="Matrices with a side shorter than this keep their second moments whole.")

    def slots(self, shape: tuple[int, ...]) -> dict[str, Slot]:
        """A row and a column of second moments for a matrix; leading axes are a stack of matrices."""
        kept = {"step": Slot(shape)} if self.momentum else {}
        if not self._is_factored(shape):
            return {"square": Slot(shape)} | kept
        return {"row": Slot(shape[:-1]), "column": Slot((*shape[:-2], shape[-1]))} | kept

    def scalars(self, rate: Any, step: Any) -> dict[str, Any]:
        """Numbers shared by all weights; step counts finished updates."""
        return {"rate": rate, "new": tf.pow(tf.cast(step, tf.float32) + 1.0, -self.decay_power)}

    def update(self, gradient: Any, weight: Any, slots: dict[str, Any], scalars: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The weight and its slots after one update."""
        squared, new = tf.square(gradient) + self.epsilon, scalars["new"]
        if "row" in slots:
            row = slots["row"] + new * (tf.reduce_mean(squared, -1) - slots["row"])
            column = slots["column"] + new * (tf.reduce_mean(squared, -2) - slots["column"])
            now = {"row": row, "column": column}
            share = row / tf.reduce_mean(row, -1, keepdims=True)
            direction = gradient * tf.math.rsqrt(share)[..., None] * tf.math.rsqrt(column)[..., None, :]
        else:
            now = {"square": slots["square"] + new * (squared - slots["square"])}
            direction = gradient * tf.math.rsqrt(now["square"])
        rate = scalars["rate"] * (tf.maximum(self.weight_floor, _rms(weight)) if self.scale_by_weight else 1.0)
        move = rate * direction / tf.maximum(1.0, _rms(direction) / self.clip_rms)
        if self.momentum:
            move = now["step"] = self.momentum * slots["step"] + (1.0 - self.momentum) * move
        return weight - move - scalars["rate"] * self.weight_decay * weight, now

    def _is_factored(self, shape: tuple[int, ...]) -> bool:
        return len(shape) >= 2 and min(shape[-2:]) >= self.min_factored


def _rms(value: Any) -> Any:
    return tf.sqrt(tf.reduce_mean(tf.square(value)))
