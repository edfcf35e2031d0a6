"""Convolution along time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer, SequenceLayer
from seqcfg.component.types import Activation, PositiveInt
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.activation import activate, activation_kept
from seqcfg.layers.convolution.window import PADDING, ROUNDING, Padding, Rounding, Window
from seqcfg.layers.sequence import Sequence, refuse_packed
from seqcfg.lazy import tf


class Conv1D(SequenceLayer, type="conv1d"):
    """y[t] = activation(sum over j of kernel[j] x[stride t + dilation j - left] + bias), with zeros outside and at padding.

    left is dilation (kernel_size - 1) for causal convolutions and, unless `padding` says otherwise, half of it, rounded
    down, for others. It does not depend on the length then, so that padding changes nothing. T positions become
    ceil(T / stride); one is real when its centre, position stride t of the input, is. Segments are not kept apart:
    packed neighbours see each other. Step by step it takes whole strides.
    """

    respects_segments = False

    units: PositiveInt = param(doc="Output width.")
    kernel_size: PositiveInt = param(doc="Number of positions a result is made from.")
    stride: PositiveInt = param(default=1, doc="Input positions per output position.")
    dilation: PositiveInt = param(default=1, doc="Distance between the positions a result is made from.")
    causal: bool = param(default=False, doc="Whether a result is made from its position and earlier ones only.")
    use_bias: bool = param(default=True, doc="Whether a vector is added.")
    activation: Activation = param(default="none", doc="Applied to the result.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernel starts; fans count all taps.")
    padding: Padding = param(default="centered", doc=PADDING, is_later=True)
    rounding: Rounding = param(default="up", doc=ROUNDING, is_later=True)

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.stride > 1 and self.dilation > 1:
            yield "dilation", "stride and dilation cannot both be above 1", "set one of them to 1"

    def declare(self, d: Any, dim: int) -> int:
        fans = (self.kernel_size * dim, self.kernel_size * self.units)
        d.weight("kernel", (self.kernel_size, dim, self.units), self.kernel_initializer, fans=fans, axes=("tap", "input", "output"))
        if self.use_bias:
            d.weight("bias", (self.units,), axes=("output",))
        d.product()
        return self.units

    def num_positions(self, length: int) -> int:
        return -(-length // self.stride)

    def kept(self, d: Any, at: Any) -> float:
        return at.inputs * d.features_in + at.outputs * self.units * activation_kept(self.activation)

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, ceil(time / stride), units]."""
        refuse_packed(x, f"{w.path}: a convolution")
        padded = self._window.pad_time(x.zero_padding(), self.padding, self.causal)
        return self._window.results(x, self.rounding).with_values(self._convolve(w, padded))

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        return self._window.start(w, self.causal, tf.shape(sequence.values)[0], [w.kernel.shape[1]])

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """Any number of whole strides at a time."""
        values, moving = self._window.step(w, x, moving)
        return self._window.results(x, self.rounding).with_values(self._convolve(w, values)), moving

    @property
    def _window(self) -> Window:
        return Window(self.kernel_size, self.stride, self.dilation)

    def _convolve(self, w: Any, padded: Any) -> Any:
        y = w.product(padded, w.kernel, w.bias if self.use_bias else None, apply=self._slide)
        return activate(self.activation, y)

    def _slide(self, padded: Any, kernel: Any) -> Any:
        return tf.nn.conv1d(padded, kernel, self.stride, "VALID", dilations=self.dilation)
