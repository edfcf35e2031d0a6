"""Convolution that makes several positions of one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer, SequenceLayer
from seqcfg.component.types import Activation, PositiveInt
from seqcfg.errors import UserError
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.activation import activate
from seqcfg.layers.sequence import Sequence, refuse_packed
from seqcfg.lazy import tf


class TransposedConv1D(SequenceLayer, type="transposed_conv1d"):
    """y[u] = activation(sum over t, j with stride t + j - left = u of kernel[j] x[t] + bias): T positions become stride T.

    left is 0 for causal convolutions and half of kernel_size - stride, rounded down, for others; padding counts as 0.
    """

    respects_segments = False

    units: PositiveInt = param(doc="Output width.")
    kernel_size: PositiveInt = param(doc="Number of positions that one is spread over; not below stride.")
    stride: PositiveInt = param(doc="Output positions per input position.")
    causal: bool = param(default=False, doc="Whether a position reaches its own results and later ones only.")
    use_bias: bool = param(default=True, doc="Whether a vector is added.")
    activation: Activation = param(default="none", doc="Applied to the result.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernel starts; fans count all taps.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.kernel_size < self.stride:
            yield "kernel_size", f"{self.kernel_size} taps leave gaps at stride {self.stride}", f"at least {self.stride}"

    def declare(self, d: Any, dim: int) -> int:
        shape, fans = (self.kernel_size, self.units, dim), (self.kernel_size * dim, self.kernel_size * self.units)
        d.weight("kernel", shape, self.kernel_initializer, fans=fans, axes=("tap", "output", "input"))
        if self.use_bias:
            d.weight("bias", (self.units,), axes=("output",))
        return self.units

    def num_positions(self, length: int) -> int:
        return length * self.stride

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, stride * time, units]."""
        refuse_packed(x, f"{w.path}: a convolution")
        left = 0 if self.causal else self._overlap // 2
        return self._results(w, x, self._spread(w, x)[:, left : left + tf.shape(x.values)[1] * self.stride])

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        if not self.causal:
            raise UserError(f"{w.path}: results that later positions reach cannot run step by step", hint="set causal: true")
        shape = [tf.shape(sequence.values)[0], self._overlap, self.units]
        return {}, {"right": tf.zeros(shape, w.context.dtype)} if self._overlap else {}

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """Any number of positions at a time; each gives `stride` of them."""
        spread, count = self._spread(w, x), tf.shape(x.values)[1] * self.stride
        if self._overlap:
            spread += tf.pad(moving["right"], [[0, 0], [0, count], [0, 0]])
            moving = {"right": tf.ensure_shape(spread[:, count:], moving["right"].shape)}
        return self._results(w, x, spread[:, :count]), moving

    @property
    def _overlap(self) -> int:
        return self.kernel_size - self.stride

    def _spread(self, w: Any, x: Sequence) -> Any:
        """[batch, stride * time + kernel_size - stride, units]."""
        values = x.zero_padding()
        shape = tf.shape(values)
        out = [shape[0], shape[1] * self.stride + self._overlap, self.units]
        return tf.nn.conv1d_transpose(values, w.kernel, out, self.stride, "VALID")

    def _results(self, w: Any, x: Sequence, values: Any) -> Sequence:
        values = tf.nn.bias_add(values, w.bias) if self.use_bias else values
        rows, time, _ = x.values.shape
        values.set_shape([rows, None if time is None else time * self.stride, self.units])
        fields = {} if x.mask is None else {"mask": tf.repeat(x.mask, self.stride, 1)}
        start = None if x.start is None else x.start * self.stride
        return dataclasses.replace(x, values=activate(self.activation, values), start=start, positions=None, **fields)
