"""Noise on weights and on gradients while training; the same for every replica and micro-batch of a step."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from typing import Annotated, Any

from seqcfg.component.component import Record, param
from seqcfg.component.types import NonNegativeInt, PositiveFloat, rules
from seqcfg.layers.view import fold_seed
from seqcfg.lazy import tf

Patterns = Annotated[list[str], rules("patterns of weight paths such as model/encoder/*; seqcfg plan lists the paths")]

Drawn = Callable[[Any], Any]  # what makes devices that share a weight draw the same numbers for it


class WeightNoise(Record):
    """Variational noise: losses and gradients of a step are taken at weight + N(0, std^2) (Graves 2011, section 3).

    The weight itself is moved by the gradient found there.
    """

    std: PositiveFloat = param(doc="Standard deviation of the noise.")
    start_step: NonNegativeInt = param(default=0, doc="Updates before the first with noise.")
    weights: Patterns = param(factory=lambda: ["*"], doc="Patterns of the weights that are disturbed.")

    def __call__(self, tree: dict[str, Any], step: Any, seed: Any, drawn: Drawn = lambda numbers: numbers) -> dict[str, Any]:
        """The tree {path: tensor} with disturbed weights; seed is int32 [2], of the step; random numbers go through `drawn`."""
        std = tf.where(step >= self.start_step, self.std, 0.0)
        chosen = [path for path in tree if any(fnmatch.fnmatchcase(path, pattern) for pattern in self.weights)]
        return tree | {path: tree[path] + std * drawn(_normal(tree[path], seed, f"{path}#weight_noise")) for path in chosen}


class GradientNoise(Record):
    """N(0, eta / (1 + t)^gamma) on every entry of the mean gradient at update t (arXiv:1511.06807, equations 1 and 2)."""

    eta: PositiveFloat = param(default=0.01, doc="Variance at the first update.")
    gamma: PositiveFloat = param(default=0.55, doc="How fast the variance falls.")

    def __call__(self, gradients: dict[str, Any], step: Any, seed: Any, drawn: Drawn = lambda numbers: numbers) -> dict[str, Any]:
        """The disturbed {name: gradient}; random numbers go through `drawn`."""
        std = tf.sqrt(self.eta * tf.pow(1.0 + tf.cast(step, tf.float32), -self.gamma))
        return {name: gradient + std * drawn(_normal(gradient, seed, f"{name}#gradient_noise")) for name, gradient in gradients.items()}


def _normal(like: Any, seed: Any, name: str) -> Any:
    return tf.random.stateless_normal(tf.shape(like), fold_seed(seed, name))
