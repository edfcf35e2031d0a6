"""Between one axis of features and two, frequency and channels, and between long frames and more of them."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer, SequenceLayer
from seqcfg.component.types import PositiveInt
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class SplitFeatures(Layer, type="split_features"):
    """Reads [..., dim] as a map [..., frequency, channels] of dim / channels frequencies."""

    channels: PositiveInt = param(default=1, doc="How many there are; they divide the width.")
    layout: Literal["channels_last", "channels_first"] = param(
        default="channels_last",
        doc="Whether neighbouring features are the channels of one frequency, or frequencies of one channel as in stacked frames.",
    )

    def declare(self, d: Any, dim: int) -> tuple[int, int]:
        if dim % self.channels:
            raise d.misfit(f"{self.channels} channels do not divide the width {dim}", "take a divisor", "channels")
        return dim // self.channels, self.channels

    def kept(self, d: Any, at: Any) -> float:
        return 0

    def __call__(self, w: Any, x: Any) -> Any:
        """x [..., dim] -> [..., frequency, channels]."""
        frequencies, rank = x.shape[-1] // self.channels, x.shape.rank
        last = [frequencies, self.channels] if self.layout == "channels_last" else [self.channels, frequencies]
        y = tf.reshape(x, tf.concat([tf.shape(x)[:-1], last], 0))  # [..., frequency, channels] or [..., channels, frequency]
        y.set_shape([*x.shape[:-1], *last])
        return y if self.layout == "channels_last" else tf.transpose(y, [*range(rank - 1), rank, rank - 1])


class MergeFeatures(Layer, type="merge_features"):
    """Reads a map [..., frequency, channels] as [..., frequency * channels]: the channels of one frequency are neighbours."""

    feature_axes = 2

    def declare(self, d: Any, width: tuple[int, int]) -> int:
        return width[0] * width[1]

    def kept(self, d: Any, at: Any) -> float:
        return 0

    def __call__(self, w: Any, x: Any) -> Any:
        """x [..., frequency, channels] -> [..., frequency * channels]."""
        dim = x.shape[-2] * x.shape[-1]
        y = tf.reshape(x, tf.concat([tf.shape(x)[:-2], [dim]], 0))
        y.set_shape([*x.shape[:-2], dim])
        return y


class UnstackFrames(SequenceLayer, type="unstack_frames"):
    """Reads a frame of `factor` * dim features as `factor` frames of dim, in their order: the inverse of stacking."""

    factor: PositiveInt = param(doc="Frames that were stacked into one.")

    def declare(self, d: Any, dim: int) -> int:
        if dim % self.factor:
            raise d.misfit(f"{self.factor} frames do not divide the width {dim}", "take a divisor", "factor")
        return dim // self.factor

    def num_positions(self, length: int) -> int:
        return length * self.factor

    def kept(self, d: Any, at: Any) -> float:
        return 0

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time * factor, dim / factor]."""
        shape, (rows, time, dim) = tf.shape(x.values), x.values.shape
        values = tf.reshape(x.values, [shape[0], shape[1] * self.factor, dim // self.factor])
        values.set_shape([rows, None if time is None else time * self.factor, dim // self.factor])
        fields = {name: tf.repeat(value, self.factor, 1) for name in ("mask", "segments") if (value := getattr(x, name)) is not None}
        if x.positions is not None:
            first = tf.repeat(x.positions * self.factor, self.factor, 1)
            fields["positions"] = first + tf.range(tf.shape(first)[1]) % self.factor
        start = None if x.start is None else x.start * self.factor
        return dataclasses.replace(x, values=values, start=start, **fields)

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        return {}, {}

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """Each position becomes `factor` of them."""
        return w(x), moving
