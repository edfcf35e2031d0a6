"""Augmentations of tokens, spectra, images and points. All take the whole batch, and leave padding what it is."""

from __future__ import annotations

from typing import Annotated, Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Augmentation
from seqcfg.component.reserved_ids import NUM_RESERVED, UNKNOWN
from seqcfg.component.types import NonNegativeFloat, NonNegativeInt, Probability, rules
from seqcfg.lazy import np


class TokenDropout(Augmentation, type="token_dropout"):
    """Replaces tokens by the unknown one, each by itself (Gal and Ghahramani 2016, arXiv:1512.05287; here per position)."""

    rate: Probability = param(default=0.1, doc="Probability of a token to be replaced; start and end ids never are.")

    def __call__(self, values: Any, lengths: Any, draw: Any) -> tuple[Any, Any]:
        """values [rows, time] int."""
        return np.where((draw.uniform(*values.shape) < self.rate) & (values >= NUM_RESERVED), UNKNOWN, values), lengths


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
        rows, time = values.shape
        index = np.arange(time)
        is_real, is_token = index < lengths[:, None], values >= NUM_RESERVED
        key = np.where(is_token, index + draw.uniform(rows, time) * (self.distance + 1), index + 0.0)
        is_dropped = is_token & is_real & (draw.uniform(rows, time) < self.drop)
        is_dropped[np.arange(rows), np.argmax(is_token & is_real, axis=1)] &= (is_token & is_real & ~is_dropped).any(axis=1)
        movable = is_token & is_real & ~is_dropped
        order = np.argsort(np.where(movable, key, np.inf), axis=1, kind="stable")  # the tokens, in their new order
        slots = np.argsort(~movable, axis=1, kind="stable")  # where tokens stand among what is left
        moved = values.copy()
        counts = movable.sum(axis=1)
        row, rank = np.nonzero(index < counts[:, None])
        moved[row, slots[row, rank]] = values[row, order[row, rank]]
        kept = is_real & ~is_dropped
        packed = np.argsort(~kept, axis=1, kind="stable")
        lengths = kept.sum(axis=1)
        return np.where(index < lengths[:, None], np.take_along_axis(moved, packed, 1), 0), lengths


class SpectrumMasks(Augmentation, type="spec_augment"):
    """Masks stretches of time and of frequency with the utterance's mean (SpecAugment without warping; arXiv:1904.08779, section 2)."""

    num_time_masks: NonNegativeInt = param(default=2, doc="Stretches of time that are masked.")
    longest_time_mask: NonNegativeInt = param(default=40, doc="Longest of them, in frames.")
    time_share: Probability = param(default=0.2, doc="Most that one of them takes of the utterance (arXiv:1912.05533).")
    num_frequency_masks: NonNegativeInt = param(default=2, doc="Bands of frequency that are masked.")
    widest_frequency_mask: NonNegativeInt = param(default=15, doc="Widest of them, in channels.")

    def __call__(self, values: Any, lengths: Any, draw: Any) -> tuple[Any, Any]:
        """values [rows, time, channels] float, lengths [rows]."""
        rows, time, channels = values.shape
        is_real = np.arange(time) < lengths[:, None]
        masked = np.zeros([rows, time, channels], bool)
        for _ in range(self.num_time_masks):
            size = draw.whole(np.minimum(self.longest_time_mask, (self.time_share * lengths).astype(np.int64)) + 1)
            masked |= _stretch(draw.whole(lengths - size + 1), size, time)[:, :, None]
        for _ in range(self.num_frequency_masks):
            size = draw.whole(np.full([rows], min(self.widest_frequency_mask, channels) + 1))
            masked |= _stretch(draw.whole(channels - size + 1), size, channels)[:, None, :]
        sums = (values * is_real[:, :, None]).sum(axis=(1, 2), dtype=np.float64)
        mean = sums / np.maximum(lengths * channels, 1)
        return np.where(masked & is_real[:, :, None], mean[:, None, None], values), lengths


class CropAndFlip(Augmentation, type="crop_and_flip"):
    """Shifts images by some pixels, with zeros behind them, and mirrors half of them left to right (He et al. 2016, arXiv:1512.03385)."""

    shift: NonNegativeInt = param(default=4, doc="Farthest shift along each side, in pixels.")
    flip: Probability = param(default=0.5, doc="Probability of an image to be mirrored.")

    def __call__(self, values: Any, lengths: Any, draw: Any) -> tuple[Any, Any]:
        """values [rows, height, width, channels]."""
        rows, height, width, _ = values.shape
        padded = np.pad(values, [(0, 0), (self.shift, self.shift), (self.shift, self.shift), (0, 0)])
        down, right = draw.whole(np.full([2, rows], 2 * self.shift + 1))
        across = right[:, None] + np.arange(width)
        across = np.where(draw.uniform(rows, 1) < self.flip, across[:, ::-1], across)
        along = down[:, None] + np.arange(height)
        return padded[np.arange(rows)[:, None, None], along[:, :, None], across[:, None, :]], lengths


class PointJitter(Augmentation, type="point_jitter"):
    """Turns clouds about the vertical, scales them, and moves each point a little (Qi et al. 2017, arXiv:1612.00593, section 5.1)."""

    jitter: NonNegativeFloat = param(default=0.01, doc="Standard deviation of each coordinate's noise, cut at five times this.")
    turn: Annotated[float, rules(minimum=0, maximum=180)] = param(default=180.0, doc="Largest turn to either side, in degrees.")
    scale: Annotated[float, rules(minimum=0, exclusiveMaximum=1)] = param(default=0.0, doc="Sizes change by a factor of up to 1 +- this.")

    def __call__(self, values: Any, lengths: Any, draw: Any) -> tuple[Any, Any]:
        """values [rows, points, features] whose first three features are a place, the third the vertical."""
        rows, points, _ = values.shape
        angle = np.deg2rad(self.turn) * (2 * draw.uniform(rows, 1) - 1)
        factor = 1 + self.scale * (2 * draw.uniform(rows, 1, 1) - 1)
        noise = np.clip(draw.normal(rows, points, 3), -5, 5) * self.jitter
        x, y, z = (values[:, :, axis] for axis in range(3))
        turned = np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), z], axis=2)
        changed = np.concatenate([turned * factor + noise, values[:, :, 3:]], axis=2)
        is_real = np.ones([rows, points], bool) if lengths is None else np.arange(points) < lengths[:, None]
        return np.where(is_real[:, :, None], changed, values), lengths


class AudioNoise(Augmentation, type="audio_noise"):
    """Changes the loudness of waveforms and adds white noise."""

    gain_db: NonNegativeFloat = param(default=6.0, doc="Largest change of the level to either side, in decibels.")
    noise: NonNegativeFloat = param(default=0.0, doc="Largest standard deviation of the noise; samples lie in -1 .. 1.")

    def __call__(self, values: Any, lengths: Any, draw: Any) -> tuple[Any, Any]:
        """values [rows, time] float."""
        rows, time = values.shape
        gain = 10.0 ** (self.gain_db * (2 * draw.uniform(rows, 1) - 1) / 20)
        changed = np.clip(values * gain + self.noise * draw.uniform(rows, 1) * draw.normal(rows, time), -1.0, 1.0)
        return np.where(np.arange(time) < lengths[:, None], changed, values), lengths


def _stretch(starts: Any, sizes: Any, total: int) -> Any:
    """bool [rows, total], True in start .. start + size - 1 of each row."""
    index = np.arange(total)
    return (index >= starts[:, None]) & (index < (starts + sizes)[:, None])
