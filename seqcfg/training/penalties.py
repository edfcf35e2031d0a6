"""Penalties on the size of weights."""

from __future__ import annotations

import fnmatch
from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.types import NonNegativeFloat
from seqcfg.lazy import tf
from seqcfg.training.noise import Patterns


class Penalties(Record):
    """Pulls weights towards 0: l1 sum |w| + l2 / 2 sum w^2 on top of the mean loss, or a share taken off at each update."""

    l1: NonNegativeFloat = param(default=0.0, doc="Factor of the sum of absolute values.")
    l2: NonNegativeFloat = param(default=0.0, doc="Factor of half the sum of squares.")
    weight_decay: NonNegativeFloat = param(
        default=0.0, doc="Share taken off per update, times the rate, beside the optimizer (arXiv:1711.05101)."
    )
    weights: Patterns = param(factory=lambda: ["*"], doc="Patterns of the weights that are penalised.")
    excluded: Patterns = param(factory=list, doc="Patterns of weights that are not, such as */bias.")

    def concerns(self, name: str) -> bool:
        """Whether a weight is penalised."""
        return _matches(name, self.weights) and not _matches(name, self.excluded)

    def gradient(self, name: str, gradient: Any, weight: Any) -> Any:
        """The gradient of the mean loss and the penalty together."""
        if self.concerns(name):
            gradient = gradient + self.l2 * weight if self.l2 else gradient
            gradient = gradient + self.l1 * tf.sign(weight) if self.l1 else gradient
        return gradient

    def decay(self, name: str) -> float:
        """The share that is taken off at each update, before it is multiplied by the rate."""
        return self.weight_decay if self.concerns(name) else 0.0


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
