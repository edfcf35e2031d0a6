"""Augmentations of tokens, images, points and waveforms. All take the whole batch, and leave padding what it is."""

from __future__ import annotations

import math
from typing import Annotated, Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Augmentation
from seqcfg.component.reserved_ids import NUM_RESERVED, UNKNOWN
from seqcfg.component.types import NonNegativeFloat, NonNegativeInt, Probability, rules
from seqcfg.lazy import tf


class TokenDropout(Augmentation, type="token_dropout"):
    """Replaces tokens by the unknown one, each by itself (Gal and Ghahramani 2016, arXiv:1512.05287; here per position)."""

    rate: Probability = param(default=0.1, doc="Probability of a token to be replaced; start and end ids never are.")

    def __call__(self, values: Any, lengths: Any, draw: Any) -> tuple[Any, Any]:
        """values [rows, time] int."""
        is_replaced = (draw.uniform(*dims(values)) < self.rate) & (values >= NUM_RESERVED)
        return tf.where(is_replaced, tf.constant(UNKNOWN, values.dtype), values), lengths


class TokenNoise(Augmentation, type="token_noise"):
    """Drops tokens and shuffles them a little (Lample et al. 2018, arXiv:1711.00043, section 2.3); start and end ids keep their places.

    A token moves by at most `distance` places: positions are sorted by i + u (distance + 1) with u uniform in [0, 1).
    Not for packed batches, whose segments would no longer fit.
    """

    keeps_lengths = False

    drop: Probability = param(default=0.1, doc="Probability of a token to be dropped; a text never loses its last one.")
    distance: NonNegativeInt = param(default=3, doc="Most places that a token moves; 0 leaves the order.")

    def __call__(self, values: Any, lengths: Any, draw: Any) -> tuple[Any, Any]:
        """values [rows, time] int, lengths [rows]."""
        rows, time = dims(values)
        index = tf.range(time)[tf.newaxis]
        is_real = index < lengths[:, tf.newaxis]
        is_token = is_real & (values >= NUM_RESERVED)
        is_dropped = self._dropped(is_token, draw.uniform(rows, time))
        movable = is_token & ~is_dropped
        key = tf.cast(index, tf.float32) + draw.uniform(rows, time) * (self.distance + 1)
        order = tf.argsort(tf.where(movable, key, float("inf")), axis=1, stable=True)  # the tokens, in their new order
        rank = tf.maximum(tf.cumsum(tf.cast(movable, tf.int32), axis=1) - 1, 0)  # of each place among those of tokens
        moved = tf.gather(values, tf.where(movable, tf.gather(order, rank, batch_dims=1), index), batch_dims=1)
        kept = is_real & ~is_dropped
        packed = tf.argsort(tf.cast(~kept, tf.int32), axis=1, stable=True)
        lengths = tf.reduce_sum(tf.cast(kept, tf.int32), 1)
        return tf.where(index < lengths[:, tf.newaxis], tf.gather(moved, packed, batch_dims=1), tf.zeros([], values.dtype)), lengths

    def _dropped(self, is_token: Any, chances: Any) -> Any:
        """bool [rows, time]; where all would go, the first stays."""
        dropped = is_token & (chances < self.drop)
        is_first = is_token & (tf.cumsum(tf.cast(is_token, tf.int32), axis=1) == 1)
        return dropped & (tf.reduce_any(is_token & ~dropped, axis=1, keepdims=True) | ~is_first)


class CropAndFlip(Augmentation, type="crop_and_flip"):
    """Shifts images by some pixels, with zeros behind them, and mirrors half of them left to right (He et al. 2016, arXiv:1512.03385)."""

    shift: NonNegativeInt = param(default=4, doc="Farthest shift along each side, in pixels.")
    flip: Probability = param(default=0.5, doc="Probability of an image to be mirrored.")

    def __call__(self, values: Any, lengths: Any, draw: Any) -> tuple[Any, Any]:
        """values [rows, height, width, channels]."""
        rows, height, width, _ = dims(values)
        padded = tf.pad(values, [[0, 0], [self.shift, self.shift], [self.shift, self.shift], [0, 0]])
        down, right = (draw.whole(tf.fill([rows], 2 * self.shift + 1))[:, tf.newaxis] for _ in range(2))
        across = right + tf.range(width)
        across = tf.where(draw.uniform(rows, 1) < self.flip, across[:, ::-1], across)
        cut = tf.gather(padded, down + tf.range(height), axis=1, batch_dims=1)
        return tf.gather(cut, across, axis=2, batch_dims=1), lengths


class PointJitter(Augmentation, type="point_jitter"):
    """Turns clouds about the vertical, scales them, and moves each point a little (Qi et al. 2017, arXiv:1612.00593, section 5.1)."""

    jitter: NonNegativeFloat = param(default=0.01, doc="Standard deviation of each coordinate's noise, cut at five times this.")
    turn: Annotated[float, rules(minimum=0, maximum=180)] = param(default=180.0, doc="Largest turn to either side, in degrees.")
    scale: Annotated[float, rules(minimum=0, exclusiveMaximum=1)] = param(default=0.0, doc="Sizes change by a factor of up to 1 +- this.")

    def __call__(self, values: Any, lengths: Any, draw: Any) -> tuple[Any, Any]:
        """values [rows, points, features] whose first three features are a place, the third the vertical."""
        rows, points, _ = dims(values)
        angle = math.radians(self.turn) * (2 * draw.uniform(rows, 1) - 1)
        factor = 1 + self.scale * (2 * draw.uniform(rows, 1, 1) - 1)
        noise = tf.clip_by_value(draw.normal(rows, points, 3), -5.0, 5.0) * self.jitter
        x, y, z = (tf.cast(values[:, :, axis], tf.float32) for axis in range(3))
        turned = tf.stack([x * tf.cos(angle) - y * tf.sin(angle), x * tf.sin(angle) + y * tf.cos(angle), z], axis=2)
        changed = tf.concat([tf.cast(turned * factor + noise, values.dtype), values[:, :, 3:]], axis=2)
        return changed if lengths is None else tf.where(real(lengths, points)[:, :, tf.newaxis], changed, values), lengths


class AudioNoise(Augmentation, type="audio_noise"):
    """Changes the loudness of waveforms and adds white noise."""

    gain_db: NonNegativeFloat = param(default=6.0, doc="Largest change of the level to either side, in decibels.")
    noise: NonNegativeFloat = param(default=0.0, doc="Largest standard deviation of the noise; samples lie in -1 .. 1.")

    def __call__(self, values: Any, lengths: Any, draw: Any) -> tuple[Any, Any]:
        """values [rows, time] float."""
        rows, time = dims(values)
        gain = 10.0 ** (self.gain_db * (2 * draw.uniform(rows, 1) - 1) / 20)
        changed = values * gain
        if self.noise:
            changed += self.noise * draw.uniform(rows, 1) * draw.normal(rows, time)
        return tf.where(real(lengths, time), tf.clip_by_value(changed, -1.0, 1.0), values), lengths


def dims(values: Any) -> Any:
    """The sizes of all axes, as far as they are known before the step runs."""
    shape = tf.shape(values)
    return [shape[axis] if size is None else size for axis, size in enumerate(values.shape)]


def real(lengths: Any, time: Any) -> Any:
    """bool [rows, time], True below each row's length."""
    return tf.range(time) < lengths[:, tf.newaxis]
