"""An affine map of the features."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer, Layer
from seqcfg.component.types import Activation, PositiveInt
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.activation import activate, activation_kept
from seqcfg.layers.static_shape import reshaped
from seqcfg.lazy import tf


class Dense(Layer, type="dense"):
    """activation(x kernel + bias), applied to each position."""

    units: PositiveInt = param(doc="Output width.")
    use_bias: bool = param(default=True, doc="Whether a vector is added.")
    activation: Activation = param(default="none", doc="Applied to the result.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernel starts; the bias starts at 0.")

    def declare(self, d: Any, dim: int) -> int:
        d.weight("kernel", (dim, self.units), self.kernel_initializer, axes=("input", "output"))
        if self.use_bias:
            d.weight("bias", (self.units,), axes=("output",))
        d.product()
        return self.units

    def kept(self, d: Any, at: Any) -> float:
        given = at.inputs * d.features_in if d.products else 0  # kernels that another layer multiplies count there
        return given + at.outputs * self.units * activation_kept(self.activation)

    def __call__(self, w: Any, x: Any) -> Any:
        """x [..., dim] -> [..., units]."""
        return activate(self.activation, w.product(x, w.kernel, w.bias if self.use_bias else None))


def affine(x: Any, kernel: Any, bias: Any = None) -> Any:
    """x [..., dim] times kernel [dim, units], plus bias [units] if there is one: one product of two matrices."""
    flat = x if x.shape.rank == 2 else tf.reshape(x, [-1, kernel.shape[0]])
    y = tf.matmul(flat, kernel)
    if bias is not None:
        y = tf.nn.bias_add(y, bias)
    if x.shape.rank == 2:
        return y
    return reshaped(y, [*x.shape[:-1], kernel.shape[1]], x)
