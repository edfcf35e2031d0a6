"""Elementwise non-linearities, by name."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer
from seqcfg.component.types import Activation
from seqcfg.lazy import tf


def activation_kept(name: str) -> int:
    """How many numbers per element its gradient needs: its argument or its result, and for those of several factors each of them."""
    return {"none": 0, "relu": 1, "tanh": 1, "sigmoid": 1, "softplus": 1, "squared_relu": 1, "gelu": 3, "gelu_tanh": 3}.get(name, 1)


def activate(name: str, x: Any) -> Any:
    """Applies the named function to each element; "none" gives x back.

    gelu is x Phi(x), gelu_tanh its approximation by tanh (arXiv:1606.08415); silu is x sigmoid(x) (arXiv:1710.05941);
    squared_relu is max(x, 0)^2 (arXiv:2109.08668).
    """
    if name == "none":
        return x
    if name == "gelu":
        return tf.nn.gelu(x, approximate=False)
    if name == "gelu_tanh":
        return tf.nn.gelu(x, approximate=True)
    if name == "squared_relu":
        return tf.square(tf.nn.relu(x))
    return getattr(tf.nn, name)(x)


class ActivationLayer(Layer, type="activation"):
    """Applies a non-linearity to each element."""

    feature_axes = None

    function: Activation = param(default="relu", doc="Which one.")

    def kept(self, d: Any, at: Any) -> float:
        return at.outputs * d.features_out * activation_kept(self.function)

    def __call__(self, w: Any, x: Any) -> Any:
        """x [...] -> [...]."""
        return activate(self.function, x)
