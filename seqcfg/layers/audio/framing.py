"""Framing: where the frames of a waveform lie, and what they hold beyond its ends."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from seqcfg.lazy import tf

Place = Literal["inside", "started", "centered", "rounded"]
Edges = Literal["zero", "reflect", "mirror"]


@dataclasses.dataclass(frozen=True)
class Framing:
    """Frames of `size` samples, `step` apart; an utterance of `length` samples has `count(length)` of them.

    inside    frame t starts at sample t step, and none reaches beyond the end
    started   the same, for all that start inside
    centered  frame t is centred on sample t step, for all t step <= length
    rounded   frame t is centred on sample t step + step / 2, and there are round(length / step)

    `before` samples in front of each frame are taken along with it, and `after` more must follow one that lies inside.
    Samples outside the utterance are 0, or those reflected about its first and last sample (which is not repeated), or
    mirrored (which is).
    """

    size: int
    step: int
    place: Place = "inside"
    edges: Edges = "zero"
    before: int = 0
    after: int = 0

    def count(self, length: Any) -> Any:
        """Number of frames of an utterance of `length` samples: an int, or an int tensor."""
        if self.place == "inside":
            count = 1 + (length - self.before - self.size - self.after) // self.step
        elif self.place == "started":
            count = (length + self.step - 1) // self.step
        elif self.place == "centered":
            count = 1 + length // self.step
        else:
            count = (length + self.step // 2) // self.step
        if isinstance(length, int):
            return max(count, 0) if length else 0
        return tf.where(length > 0, tf.maximum(count, 0), 0)

    def frames(self, samples: Any, lengths: Any) -> Any:
        """samples [batch, time], zero beyond lengths [batch] -> [batch, count(time), before + size]."""
        time = tf.shape(samples)[1]
        left = 0
        if self.place != "inside":
            left = {"started": 0, "centered": (self.size + 1) // 2 + self.before, "rounded": (self.size - self.step) // 2 + self.before}[
                self.place
            ]
            right = self.before + self.size  # enough for the last frame wherever it lies
            samples = self._beyond_the_ends(samples, lengths, left, right)
        return tf.signal.frame(samples, self.before + self.size, self.step, axis=1)[:, : self.count(time)]

    def _beyond_the_ends(self, samples: Any, lengths: Any, left: int, right: int) -> Any:
        if self.edges == "zero":
            return tf.pad(samples, [[0, 0], [left, right]])
        index, last = tf.range(-left, tf.shape(samples)[1] + right), lengths[:, tf.newaxis] - 1
        repeated = 1 if self.edges == "mirror" else 0
        index = tf.where(index < 0, -index - repeated, index)
        index = tf.where(index > last, 2 * last - index + repeated, index)  # [batch, left + time + right]
        return tf.gather(samples, tf.clip_by_value(index, 0, tf.maximum(last, 0)), batch_dims=1)
