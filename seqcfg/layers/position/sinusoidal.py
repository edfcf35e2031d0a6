"""Positions as sines and cosines of many wavelengths, added to the features."""

from __future__ import annotations

import math
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import SequenceLayer
from seqcfg.component.types import PositiveFloat
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class SinusoidalPosition(SequenceLayer, type="sinusoidal_position"):
    """Adds sin(p / t) and cos(p / t) at position p for time scales t in geometric progression (arXiv:1706.03762, section 3.5)."""

    layout: Literal["halves", "interleaved"] = param(default="halves", doc="Sines then cosines, or in turn as in the paper.")
    exponent: Literal["half_minus_one", "half"] = param(
        default="half_minus_one",
        doc="Time scale i is min (max / min)^(i / n), n being width / 2 - 1 as in Tensor2Tensor or width / 2 as in the paper.",
    )
    min_timescale: PositiveFloat = param(default=1.0, doc="Shortest wavelength over 2 pi, in positions.")
    max_timescale: PositiveFloat = param(default=10000.0, doc="Longest wavelength over 2 pi, in positions.")
    learned_scale: bool = param(default=False, doc="Whether the signal is multiplied by 1 + s, s learned from 0.")

    def declare(self, d: Any, dim: int) -> int:
        if dim % 2:
            raise d.misfit(f"sines and cosines need an even width, not {dim}", f"{dim + 1} is even")
        if self.learned_scale:
            d.weight("scale", (1,))
        return dim

    def kept(self, d: Any, at: Any) -> float:
        return 0

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time, dim]."""
        signal = tf.cast(self.signal(x.time_index(), x.values.shape[-1]), x.values.dtype)
        if self.learned_scale:
            signal = signal * (1 + w.scale)
        return x.with_values(x.values + signal)

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        return w(x), moving

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        return {}, {}

    def signal(self, positions: Any, dim: int) -> Any:
        """positions [...] -> [..., dim] float32."""
        count = dim // 2
        steps = max(count - 1, 1) if self.exponent == "half_minus_one" else count
        decay = math.log(self.max_timescale / self.min_timescale) / steps
        frequencies = tf.exp(tf.range(count, dtype=tf.float32) * -decay) / self.min_timescale
        angles = tf.cast(positions, tf.float32)[..., tf.newaxis] * frequencies
        if self.layout == "halves":
            return tf.concat([tf.sin(angles), tf.cos(angles)], -1)
        return tf.reshape(tf.stack([tf.sin(angles), tf.cos(angles)], -1), tf.concat([tf.shape(positions), [dim]], 0))
