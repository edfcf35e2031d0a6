"""Along one axis: which inputs a result of a convolution or of pooling is made from, and which results are real."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, NamedTuple

from seqcfg.errors import UserError
from seqcfg.layers.sequence import Sequence
from seqcfg.layers.static_shape import reshaped
from seqcfg.lazy import tf

Padding = Literal["centered", "aligned", "same"]
Rounding = Literal["up", "down"]

PADDING = (
    "Where windows that are not causal begin: half their reach before their position (centered), or as TensorFlow's SAME, "
    "which depends on the length of the batch (same), or as that for lengths that the stride divides (aligned)."
)
ROUNDING = "Whether the last stride of a sequence gives a real result when it has any real position (up), or only when it is whole (down)."


class Window(NamedTuple):
    """Result t is made from inputs stride t - left + dilation j for j < size; T inputs give ceil(T / stride) results."""

    size: int
    stride: int = 1
    dilation: int = 1

    @property
    def reach(self) -> int:
        """From the first input of a result to its last."""
        return self.dilation * (self.size - 1)

    def left(self, padding: Padding, length: Any) -> Any:
        """Zeros before `length` inputs, an int or a scalar tensor; reach - left more follow them, or as good as follow."""
        if padding == "centered":
            return self.reach // 2
        if padding == "aligned":
            return max(self.reach + 1 - self.stride, 0) // 2
        total = (self.count(length) - 1) * self.stride + self.reach + 1 - length
        return (max(total, 0) if isinstance(length, int) else tf.maximum(total, 0)) // 2

    def count(self, length: Any) -> Any:
        """Results from `length` inputs."""
        return (length + self.stride - 1) // self.stride

    def pad_time(self, values: Any, padding: Padding, causal: bool) -> Any:
        """values [batch, time, ...] with zeros before and after, so that windows that lie inside are all there are."""
        left = self.reach if causal else self.left(padding, _length(values))
        padded = tf.pad(values, [[0, 0], [left, self.reach - left]] + [[0, 0]] * (values.shape.rank - 2))
        return padded if isinstance(left, int) else reshaped(padded, [values.shape[0], None, *values.shape[2:]], padded)

    def results(self, x: Sequence, rounding: Rounding = "up") -> Sequence:
        """x with the mask, segments and positions of the results; its values are still the inputs.

        A result counts as its first position, where its window is centered; rounded down, as all positions of its stride.
        """
        if self.stride == 1:
            return x
        rare = {name: value[:, :: self.stride] for name in ("mask", "segments") if (value := getattr(x, name)) is not None}
        if rounding == "down":
            rare["mask"] = self._whole(x)
        positions = None if x.positions is None else x.positions[:, :: self.stride] // self.stride
        start = None if x.start is None else x.start // self.stride
        return dataclasses.replace(x, positions=positions, start=start, **rare)

    def _whole(self, x: Sequence) -> Any:
        """Which strides are real at all their positions: [batch, count]."""
        mask = tf.ones(tf.shape(x.values)[:2], tf.bool) if x.mask is None else x.mask
        rows, count = tf.shape(mask)[0], self.count(tf.shape(mask)[1])
        mask = tf.pad(mask, [[0, 0], [0, count * self.stride - tf.shape(mask)[1]]])
        return tf.reduce_all(tf.reshape(mask, [rows, count, self.stride]), 2)

    def start(self, w: Any, causal: bool, rows: Any, features: list[int]) -> tuple[Any, Any]:
        """What step-by-step use begins with: `reach` zeros [rows, reach, ...] in place of earlier inputs."""
        if not causal:
            raise UserError(f"{w.path}: a window over later positions cannot run step by step", hint="set causal: true")
        return {}, {"left": tf.zeros([rows, self.reach, *features], w.context.dtype)} if self.reach else {}

    def step(self, w: Any, x: Sequence, moving: Any) -> tuple[Any, Any]:
        """(earlier inputs and these [rows, reach + time, ...], moving): all windows of these positions lie inside."""
        if x.values.shape[1] is not None and x.values.shape[1] % self.stride:
            raise UserError(
                f"{w.path}: {x.values.shape[1]} positions at a time are not whole strides of {self.stride}",
                hint="feed a multiple of all strides at a time, or set stride: 1",
            )
        values = x.zero_padding()
        if not self.reach:
            return values, moving
        values = tf.concat([moving["left"], values], 1)
        return values, {"left": values[:, -self.reach :]}


def _length(values: Any) -> Any:
    return tf.shape(values)[1] if values.shape[1] is None else values.shape[1]
