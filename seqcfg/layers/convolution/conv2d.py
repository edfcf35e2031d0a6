"""Convolution along time and frequency."""

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

PER_AXIS = "along time and along frequency"


class TimeFrequency(SequenceLayer):
    """What layers have in common that slide a window over time and frequency.

    Values are [batch, time, frequency, channels]; a map of T x F becomes ceil(T / stride) x ceil(F / stride). Positions
    outside and padded ones count as zeros. Which inputs a result is made from, and which results are real, is as in
    `conv1d`, along both axes; causal windows reach back in time alone, and step by step they take whole strides.
    """

    feature_axes = 2
    respects_segments = False

    kernel_size: tuple[PositiveInt, PositiveInt] = param(doc=f"Number of positions a result is made from, {PER_AXIS}.")
    stride: tuple[PositiveInt, PositiveInt] = param(default=(1, 1), doc=f"Input positions per output position, {PER_AXIS}.")
    dilation: tuple[PositiveInt, PositiveInt] = param(default=(1, 1), doc=f"Distance between the positions of a window, {PER_AXIS}.")
    causal: bool = param(default=False, doc="Whether a result is made from its time and earlier ones only.")
    padding: Padding = param(default="centered", doc=PADDING)
    rounding: Rounding = param(default="up", doc=ROUNDING)

    def check(self) -> Iterator[tuple[str, str, str]]:
        if max(self.stride) > 1 and max(self.dilation) > 1:
            yield "dilation", "stride and dilation cannot both be above 1", "set one of them to [1, 1]"

    def num_positions(self, length: int) -> int:
        return -(-length // self.stride[0])

    def kept(self, d: Any, at: Any) -> float:
        frequencies, channels = d.inputs[0]
        padded = at.inputs * (frequencies + self._frequency.reach) * channels
        return padded + at.outputs * d.features_out * activation_kept(getattr(self, "activation", "none"))

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, frequency, channels] -> [batch, fewer times, fewer frequencies, output channels]."""
        refuse_packed(x, f"{w.path}: a window over time")
        return self._results(w, x, self._time.pad_time(x.zero_padding(), self.padding, self.causal))

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        return self._time.start(w, self.causal, tf.shape(sequence.values)[0], list(w.width))

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """Any number of whole strides at a time."""
        values, moving = self._time.step(w, x, moving)
        return self._results(w, x, values), moving

    def combine(self, w: Any, padded: Any) -> Any:
        """Results of all windows that lie inside: padded [batch, time, frequency, channels] -> [batch, ..., ..., channels]."""
        raise TypeError(f"{type(self).__name__} defines no combine")

    @property
    def _time(self) -> Window:
        return Window(self.kernel_size[0], self.stride[0], self.dilation[0])

    @property
    def _frequency(self) -> Window:
        return Window(self.kernel_size[1], self.stride[1], self.dilation[1])

    def _results(self, w: Any, x: Sequence, padded: Any) -> Sequence:
        window, frequencies = self._frequency, padded.shape[2]
        left = window.left(self.padding, frequencies)
        if self.causal and self.padding == "same" and window.stride == 1:
            left = max(window.reach - 1, 0) // 2  # as Lingvo does where it is causal: not SAME for odd kernels, but one less
        padded = tf.pad(padded, [[0, 0], [0, 0], [left, window.reach - left], [0, 0]])
        return self._time.results(x, self.rounding).with_values(self.combine(w, padded))


class Conv2D(TimeFrequency, type="conv2d"):
    """y[t, f] = activation(sum over i, j of kernel[i, j] x[stride t + dilation i - left, ...] + bias) over time and frequency.

    With `padding: same` and `rounding: down` it is Lingvo's Conv2DLayer, whose order convolution, batch normalisation,
    activation is that of three layers in a sequence.
    """

    units: PositiveInt = param(doc="Output channels.")
    use_bias: bool = param(default=True, doc="Whether a vector is added.")
    activation: Activation = param(default="none", doc="Applied to the result.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernel starts; fans count all taps.")

    def declare(self, d: Any, width: tuple[int, int]) -> tuple[int, int]:
        frequencies, channels = width
        taps = self.kernel_size[0] * self.kernel_size[1]
        shape = (*self.kernel_size, channels, self.units)
        d.weight(
            "kernel", shape, self.kernel_initializer, fans=(taps * channels, taps * self.units), axes=("tap", "tap", "input", "output")
        )
        if self.use_bias:
            d.weight("bias", (self.units,), axes=("output",))
        d.product()
        return self._frequency.count(frequencies), self.units

    def combine(self, w: Any, padded: Any) -> Any:
        y = w.product(padded, w.kernel, w.bias if self.use_bias else None, apply=self._slide)
        return activate(self.activation, y)

    def _slide(self, padded: Any, kernel: Any) -> Any:
        return tf.nn.conv2d(padded, kernel, list(self.stride), "VALID", dilations=list(self.dilation))
