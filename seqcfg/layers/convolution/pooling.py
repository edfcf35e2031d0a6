"""The greatest or the mean value of each feature in a window of real positions."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import SequenceLayer
from seqcfg.component.types import PositiveInt
from seqcfg.layers.convolution.conv2d import TimeFrequency
from seqcfg.layers.convolution.window import PADDING, ROUNDING, Padding, Rounding, Window
from seqcfg.layers.sequence import Sequence, refuse_packed
from seqcfg.lazy import tf

FUNCTION = "What is taken of the real positions in a window; 0 where it has none."


class Pool1D(SequenceLayer, type="pool1d"):
    """The maximum or mean over a window in time; padding and what lies outside is left out of it. Windows lie as in `conv1d`."""

    respects_segments = False

    function: Literal["max", "mean"] = param(default="max", doc=FUNCTION)
    kernel_size: PositiveInt = param(doc="Positions in a window.")
    stride: PositiveInt = param(doc="Input positions per output position.")
    causal: bool = param(default=False, doc="Whether a window holds its position and earlier ones only.")
    padding: Padding = param(default="aligned", doc=PADDING)
    rounding: Rounding = param(default="up", doc=ROUNDING)

    def num_positions(self, length: int) -> int:
        return -(-length // self.stride) if self.rounding == "up" else length // self.stride

    def kept(self, d: Any, at: Any) -> float:
        return (at.inputs * d.features_in + at.outputs * d.features_out) if self.function == "max" else at.outputs * d.features_out

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, ceil(time / stride), dim]."""
        refuse_packed(x, f"{w.path}: a window over time")
        return self._results(x, self._window.pad_time(marked(x).zero_padding(), self.padding, self.causal))

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        return self._window.start(w, self.causal, tf.shape(sequence.values)[0], [w.width + 1])

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """Any number of whole strides at a time."""
        values, moving = self._window.step(w, marked(x), moving)
        return self._results(x, values), moving

    @property
    def _window(self) -> Window:
        return Window(self.kernel_size, self.stride)

    def _results(self, x: Sequence, padded: Any) -> Sequence:
        y = pool(padded[:, :, tf.newaxis], self.function, (self.kernel_size, 1), (self.stride, 1))
        return self._window.results(x, self.rounding).with_values(y[:, :, 0])


class Pool2D(TimeFrequency, type="pool2d"):
    """The maximum or mean over a window in time and frequency; padding and what lies outside is left out of it."""

    function: Literal["max", "mean"] = param(default="max", doc=FUNCTION)

    def declare(self, d: Any, width: tuple[int, int]) -> tuple[int, int]:
        if max(self.dilation) > 1:
            raise d.misfit("windows of pooling have no gaps", "leave dilation out", "dilation")
        return self._frequency.count(width[0]), width[1]

    def kept(self, d: Any, at: Any) -> float:
        return (at.inputs * d.features_in + at.outputs * d.features_out) if self.function == "max" else at.outputs * d.features_out

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, frequency, channels] -> [batch, fewer times, fewer frequencies, channels]."""
        return super().__call__(w, marked(x))

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        frequencies, channels = w.width
        return self._time.start(w, self.causal, tf.shape(sequence.values)[0], [frequencies, channels + 1])

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        return super().step(w, marked(x), fixed, moving)

    def combine(self, w: Any, padded: Any) -> Any:
        return pool(padded, self.function, self.kernel_size, self.stride)


def marked(x: Sequence) -> Sequence:
    """x with one feature more, 1 at all positions; where zeros are put beside them or in their place, it is 0."""
    return x.with_values(tf.pad(x.values, [[0, 0]] * (x.values.shape.rank - 1) + [[0, 1]], constant_values=1))


def pool(padded: Any, function: str, size: tuple[int, int], stride: tuple[int, int]) -> Any:
    """padded [batch, time, frequency, channels + 1], the last being `marked` -> [batch, ..., ..., channels]."""
    values, real = padded[..., :-1], padded[..., -1:]
    counts = tf.nn.avg_pool2d(real, size, stride, "VALID") * (size[0] * size[1])
    if function == "mean":
        return tf.nn.avg_pool2d(values, size, stride, "VALID") * (size[0] * size[1]) / tf.maximum(counts, 1)
    greatest = tf.nn.max_pool2d(tf.where(real > 0, values, tf.constant(values.dtype.min, values.dtype)), size, stride, "VALID")
    return tf.where(counts > 0.5, greatest, tf.zeros([], values.dtype))
