"""Positions as rotations of queries and keys."""

from __future__ import annotations

import math
from typing import Any, Literal

from seqcfg.component.component import Record, param
from seqcfg.component.types import PositiveFloat
from seqcfg.lazy import tf


class Rotary(Record):
    """Rotates pairs of features by position times a frequency, so that products depend on distance (arXiv:2104.09864, section 3.2)."""

    base: PositiveFloat = param(default=10000.0, doc="Frequency i of n is base^(-i / n), in radians per position.")
    layout: Literal["halves", "interleaved"] = param(default="halves", doc="Whether feature i pairs with i + n or 2 i with 2 i + 1.")

    def rotate(self, x: Any, positions: Any) -> Any:
        """x [batch, heads, time, head_dim], positions [time] or [batch, time] -> x rotated. Angles are float32."""
        pairs = x.shape[-1] // 2
        frequencies = tf.exp(tf.range(pairs, dtype=tf.float32) * (-math.log(self.base) / pairs))
        angles = tf.expand_dims(tf.cast(positions, tf.float32), -1) * frequencies  # a mesh has no rule for slices with new axes
        angles = angles[tf.newaxis, tf.newaxis] if positions.shape.rank == 1 else tf.expand_dims(angles, 1)  # [batch, heads, time, pairs]
        cos, sin = tf.cast(tf.cos(angles), x.dtype), tf.cast(tf.sin(angles), x.dtype)
        if self.layout == "halves":
            first, second = tf.split(x, 2, -1)
            return tf.concat([first * cos - second * sin, second * cos + first * sin], -1)
        first, second = x[..., 0::2], x[..., 1::2]
        return tf.reshape(tf.stack([first * cos - second * sin, second * cos + first * sin], -1), tf.shape(x))
