"""SpecAugment: spectra warped and masked at random in training."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.types import NonNegativeInt, Probability
from seqcfg.initializers.draw import whole
from seqcfg.layers.audio.whole import TrainingLayer
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class SpecAugment(TrainingLayer, type="spec_augment"):
    """Warps time and masks stretches of time and of frequency (arXiv:1904.08779, section 2), in training only.

    Warping moves one frame c by w and stretches what lies before and after it linearly; |w| is at most
    longest_time_warp, and c lies at least that far from the ends. Masks lie inside the utterance; their sizes are drawn
    from 0 to the longest, their places evenly. The draws of a step are the same in plain and compiled graphs.
    """

    longest_time_warp: NonNegativeInt = param(default=0, doc="Farthest that a frame is moved, in frames; 0 does not warp.")
    num_time_masks: NonNegativeInt = param(default=2, doc="Stretches of time that are masked.")
    longest_time_mask: NonNegativeInt = param(default=40, doc="Longest of them, in frames.")
    time_share: Probability = param(default=0.2, doc="Most that one of them takes of the utterance (arXiv:1912.05533).")
    num_frequency_masks: NonNegativeInt = param(default=2, doc="Bands of frequency that are masked.")
    widest_frequency_mask: NonNegativeInt = param(default=15, doc="Widest of them, in features.")
    fill: Literal["mean", "zero"] = param(default="mean", doc="What masked places hold: the utterance's mean over all real places, or 0.")

    def apply(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time, dim]."""
        if not w.training:
            return x
        values, lengths = tf.cast(x.values, tf.float32), x.lengths()
        if self.longest_time_warp:
            values = warped(values, lengths, self._warp(w, lengths))
        rows, time, dim = tf.shape(values)[0], tf.shape(values)[1], values.shape[-1]
        masked = tf.zeros([rows, time, dim], tf.bool)
        longest = tf.minimum(self.longest_time_mask, tf.cast(self.time_share * tf.cast(lengths, tf.float32), tf.int32))
        for _ in range(self.num_time_masks):
            masked |= _stretch(w, longest, lengths, time)[:, :, tf.newaxis]
        widest, channels = (tf.fill([rows], size) for size in (min(self.widest_frequency_mask, dim), dim))
        for _ in range(self.num_frequency_masks):
            masked |= _stretch(w, widest, channels, dim)[:, tf.newaxis, :]
        fill = tf.zeros([rows]) if self.fill == "zero" else self._mean(x.with_values(values), lengths)
        return x.with_values(x.zero_padding(tf.cast(tf.where(masked, fill[:, tf.newaxis, tf.newaxis], values), x.values.dtype)))

    def _warp(self, w: Any, lengths: Any) -> tuple[Any, Any]:
        """(c, c + w) per row, float32 [batch]: the frame that is moved and where to; 0, 0 where the utterance is too short."""
        reach = self.longest_time_warp
        room = lengths - 1 - 2 * reach
        center = reach + whole(tf.maximum(room, 0) + 1, w.seed())
        target = center - reach + whole(tf.fill(tf.shape(lengths), 2 * reach + 1), w.seed())
        is_long = room > 0
        return tuple(tf.cast(tf.where(is_long, place, 0), tf.float32) for place in (center, target))

    def _mean(self, x: Sequence, lengths: Any) -> Any:
        """[batch]: the mean over an utterance's real frames and all features."""
        count = tf.cast(tf.maximum(lengths, 1), tf.float32) * x.values.shape[-1]
        return tf.reduce_sum(x.zero_padding(), [1, 2]) / count


def warped(values: Any, lengths: Any, moved: tuple[Any, Any]) -> Any:
    """values [batch, time, dim] with frame `moved[0]` at place `moved[1]`, its sides stretched to match; ends stay."""
    center, target = (place[:, tf.newaxis] for place in moved)
    last = tf.cast(tf.maximum(lengths - 1, 0), tf.float32)[:, tf.newaxis]
    place = tf.cast(tf.range(tf.shape(values)[1]), tf.float32)[tf.newaxis]
    before = place * center / tf.maximum(target, 1.0)
    after = center + (place - target) * (last - center) / tf.maximum(last - target, 1.0)
    source = tf.clip_by_value(tf.where(place < target, before, after), 0.0, last)  # [batch, time]
    floor = tf.floor(source)
    share = (source - floor)[:, :, tf.newaxis]
    low = tf.cast(floor, tf.int32)
    high = tf.minimum(low + 1, tf.cast(last, tf.int32))
    padded = tf.pad(values, [[0, 0], [0, 1], [0, 0]])  # so that there is a position where there is no frame at all
    return (1 - share) * tf.gather(padded, low, batch_dims=1) + share * tf.gather(padded, high, batch_dims=1)


def _stretch(w: Any, longest: Any, totals: Any, size: Any) -> Any:
    """bool [batch, size]: True in a stretch of 0 to longest [batch] places, inside the first totals [batch] ones."""
    sizes = whole(longest + 1, w.seed())
    starts = whole(tf.maximum(totals - sizes + 1, 1), w.seed())
    index = tf.range(size)
    return (index >= starts[:, tf.newaxis]) & (index < (starts + sizes)[:, tf.newaxis])
