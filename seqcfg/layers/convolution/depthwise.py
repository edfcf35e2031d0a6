"""Convolutions of each channel by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer, SequenceLayer
from seqcfg.component.types import Activation, PositiveInt
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.activation import activate, activation_kept
from seqcfg.layers.convolution.conv2d import TimeFrequency
from seqcfg.layers.convolution.window import PADDING, ROUNDING, Padding, Rounding, Window
from seqcfg.layers.sequence import Sequence, refuse_packed
from seqcfg.lazy import tf

MULTIPLIER = "Output channels per input channel; those of one are neighbours."


class DepthwiseConv1D(SequenceLayer, type="depthwise_conv1d"):
    """As `conv1d`, with a kernel of its own for each feature and no sum over features.

    Followed by `dense` it is a separable convolution (arXiv:1610.02357).
    """

    respects_segments = False

    kernel_size: PositiveInt = param(doc="Number of positions a result is made from.")
    multiplier: PositiveInt = param(default=1, doc=MULTIPLIER)
    stride: PositiveInt = param(default=1, doc="Input positions per output position.")
    dilation: PositiveInt = param(default=1, doc="Distance between the positions a result is made from.")
    causal: bool = param(default=False, doc="Whether a result is made from its position and earlier ones only.")
    padding: Padding = param(default="centered", doc=PADDING)
    rounding: Rounding = param(default="up", doc=ROUNDING)
    use_bias: bool = param(default=True, doc="Whether a vector is added.")
    activation: Activation = param(default="none", doc="Applied to the result.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernel starts; fans are the taps.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.stride > 1 and self.dilation > 1:
            yield "dilation", "stride and dilation cannot both be above 1", "set one of them to 1"

    def declare(self, d: Any, dim: int) -> int:
        fans = (self.kernel_size, self.kernel_size * self.multiplier)
        d.weight("kernel", (self.kernel_size, dim, self.multiplier), self.kernel_initializer, fans=fans, axes=("tap", "output"))
        if self.use_bias:
            d.weight("bias", (dim * self.multiplier,), axes=("output",))
        return dim * self.multiplier

    def num_positions(self, length: int) -> int:
        return -(-length // self.stride)

    def kept(self, d: Any, at: Any) -> float:
        return at.inputs * d.features_in + at.outputs * d.features_out * activation_kept(self.activation)

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, ceil(time / stride), dim * multiplier]."""
        refuse_packed(x, f"{w.path}: a convolution")
        return self._results(w, x, self._window.pad_time(x.zero_padding(), self.padding, self.causal))

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        return self._window.start(w, self.causal, tf.shape(sequence.values)[0], [w.width])

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """Any number of whole strides at a time."""
        values, moving = self._window.step(w, x, moving)
        return self._results(w, x, values), moving

    @property
    def _window(self) -> Window:
        return Window(self.kernel_size, self.stride, self.dilation)

    def _results(self, w: Any, x: Sequence, padded: Any) -> Sequence:
        kernel = w.kernel[:, tf.newaxis]  # [tap, 1, dim, multiplier]
        y = convolve_each(padded[:, :, tf.newaxis], kernel, (self.stride, 1), (self.dilation, 1))[:, :, 0]
        y = activate(self.activation, tf.nn.bias_add(y, w.bias) if self.use_bias else y)
        return self._window.results(x, self.rounding).with_values(y)


class DepthwiseConv2D(TimeFrequency, type="depthwise_conv2d"):
    """As `conv2d`, with a kernel of its own for each channel and no sum over channels.

    Followed by a `conv2d` with kernel_size [1, 1] it is a separable convolution (arXiv:1610.02357).
    """

    multiplier: PositiveInt = param(default=1, doc=MULTIPLIER)
    use_bias: bool = param(default=True, doc="Whether a vector is added.")
    activation: Activation = param(default="none", doc="Applied to the result.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernel starts; fans are the taps.")

    def declare(self, d: Any, width: tuple[int, int]) -> tuple[int, int]:
        frequencies, channels = width
        taps, out = self.kernel_size[0] * self.kernel_size[1], channels * self.multiplier
        shape = (*self.kernel_size, channels, self.multiplier)
        d.weight("kernel", shape, self.kernel_initializer, fans=(taps, taps * self.multiplier), axes=("tap", "tap", "output"))
        if self.use_bias:
            d.weight("bias", (out,), axes=("output",))
        return self._frequency.count(frequencies), out

    def combine(self, w: Any, padded: Any) -> Any:
        y = convolve_each(padded, w.kernel, self.stride, self.dilation)
        return activate(self.activation, tf.nn.bias_add(y, w.bias) if self.use_bias else y)


def convolve_each(padded: Any, kernel: Any, stride: tuple[int, int], dilation: tuple[int, int]) -> Any:
    """padded [batch, time, frequency, dim] by kernel [taps, taps, dim, multiplier] -> [batch, ..., ..., dim * multiplier]."""
    if stride[0] == stride[1]:
        return tf.nn.depthwise_conv2d(padded, kernel, [1, *stride, 1], "VALID", dilations=list(dilation))
    # TensorFlow has no kernel for unequal strides: results between those wanted cost less than another implementation.
    return tf.nn.depthwise_conv2d(padded, kernel, [1, 1, 1, 1], "VALID")[:, :: stride[0], :: stride[1]]
