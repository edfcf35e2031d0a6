"""Long short-term memory of maps over frequency."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import PositiveFloat, PositiveInt
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.activation import activate
from seqcfg.layers.recurrent.gates import clipped
from seqcfg.layers.recurrent.loop import Inside, Tensors
from seqcfg.layers.recurrent.recurrence import Recurrence
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class ConvLSTM(Recurrence, type="conv_lstm"):
    """An LSTM whose products are convolutions along frequency (Shi et al. 2015, arXiv:1506.04214, without peepholes).

    Values are [batch, time, frequency, channels]; columns of the kernels are as in `lstm`. Frequencies outside count as zeros, one
    more on the high side where `kernel_size` is even. A padded position keeps the state, and gives the held output.
    """

    feature_axes = 2

    units: PositiveInt = param(doc="Channels of the cell.")
    kernel_size: PositiveInt = param(default=3, doc="Frequencies that a gate sees of input and output.")
    forget_bias: float = param(default=1.0, doc="Added to the forget gate before its sigmoid; Lingvo adds none.")
    cell_cap: PositiveFloat | None = param(default=None, doc="Cell values are clipped to +- this; not clipped when left out.")
    output_activation: Literal["tanh", "none"] = param(default="tanh", doc="Applied to the cell before the output gate.")
    use_bias: bool = param(default=True, doc="Whether a vector is added to the gates.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernels start; fans are of one gate.")

    def declare(self, d: Any, width: tuple[int, int]) -> tuple[int, int]:
        (frequencies, channels), taps, gates = width, self.kernel_size, 4 * self.units
        for name, into in (("input_kernel", channels), ("recurrent_kernel", self.units)):
            fans = (taps * into, taps * self.units)
            d.weight(name, (taps, into, gates), self.kernel_initializer, fans=fans, axes=("tap", "input", "output"))
        if self.use_bias:
            d.weight("bias", (gates,), axes=("output",))
        return frequencies, self.units

    def state_shapes(self, w: Any) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("output", "cell"), (w.width[0], self.units))

    def project(self, w: Any, x: Sequence, state: Tensors) -> Tensors:
        left = (self.kernel_size - 1) // 2
        padding = [[0, 0], [0, 0], [left, self.kernel_size - 1 - left], [0, 0]]
        sums = tf.nn.conv2d(x.values, w.input_kernel[tf.newaxis], 1, padding)
        return {"gates": tf.nn.bias_add(sums, w.bias) if self.use_bias else sums}

    def inside(self, w: Any) -> tuple[Tensors, Tensors]:
        return {"recurrent_kernel": w.recurrent_kernel}, {}

    def advance(self, inside: Inside, position: Tensors, state: Tensors) -> Tensors:
        sums = position["gates"] + inside.times("recurrent_kernel", state["output"])
        candidate, enter, keep, show = tf.split(sums, 4, -1)
        cell = tf.sigmoid(keep + self.forget_bias) * state["cell"] + tf.sigmoid(enter) * tf.tanh(candidate)
        cell = clipped(cell, self.cell_cap)
        return {"output": tf.sigmoid(show) * activate(self.output_activation, cell), "cell": cell}
