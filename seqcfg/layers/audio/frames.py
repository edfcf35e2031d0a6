"""Frames joined and added."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.types import NonNegativeInt, PositiveInt
from seqcfg.layers.audio.whole import UtteranceLayer
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class StackFrames(UtteranceLayer, type="stack_frames"):
    """Puts each `stride`-th frame behind its `left` neighbours and before its `right` ones, earliest first (arXiv:1507.06947, section 2).

    T frames become ceil(T / stride), wider by the factor left + 1 + right; one is real when its own frame, stride t, is.
    The defaults make 240 features of 80, as Lingvo does with stack_left_context 2 and frame_stride 3. (With right
    neighbours Lingvo takes a frame for padding where one of them is; here an utterance's last frame is repeated.)
    """

    left: NonNegativeInt = param(default=2, doc="Frames before, in frames.")
    right: NonNegativeInt = param(default=0, doc="Frames after, in frames.")
    stride: PositiveInt = param(default=3, doc="From one of the frames that are kept to the next.")
    edges: Literal["repeat", "zero"] = param(
        default="repeat", doc="Whether the first and the last frame are repeated beyond the ends, or zeros."
    )

    def declare(self, d: Any, dim: int) -> int:
        return dim * (self.left + 1 + self.right)

    def num_positions(self, length: int) -> int:
        return -(-length // self.stride)

    def apply(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, ceil(time / stride), (left + 1 + right) dim]."""
        values, time, dim = x.zero_padding(), tf.shape(x.values)[1], x.values.shape[-1]
        if self.edges == "zero":
            values = tf.pad(values, [[0, 0], [self.left, self.right], [0, 0]])
            index = neighbours(time, self.stride, 0, self.left + self.right)
            stacked = tf.gather(values, index, axis=1)
        else:
            stacked = gather_inside(values, neighbours(time, self.stride, -self.left, self.right), x.lengths())
        width = dim * (self.left + 1 + self.right)
        flat = tf.reshape(stacked, [tf.shape(values)[0], tf.shape(stacked)[1], width])  # [batch, kept, neighbours * dim]
        return dataclasses.replace(x, values=flat, mask=None if x.mask is None else x.mask[:, :: self.stride])


class AppendFrames(UtteranceLayer, type="append_frames"):
    """Adds frames of zeros behind each utterance: Lingvo's pad_steps, or with are_real its end-of-utterance frame."""

    count: PositiveInt = param(doc="How many, in frames.")
    are_real: bool = param(default=False, doc="Whether they count as real frames, which later layers see and attend to.")

    def num_positions(self, length: int) -> int:
        return length + self.count

    def apply(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time + count, dim]."""
        values = tf.pad(x.zero_padding(), [[0, 0], [0, self.count]] + [[0, 0]] * (x.values.shape.rank - 2))
        if self.are_real and x.mask is None:
            return x.with_values(values)
        lengths = x.lengths() + (self.count if self.are_real else 0)
        return dataclasses.replace(x, values=values, mask=tf.sequence_mask(lengths, tf.shape(values)[1]))


class Deltas(UtteranceLayer, type="deltas"):
    """Adds slopes over time to the features: d[t] = sum over n of n (x[t + n] - x[t - n]) / (2 sum of n^2), n = 1 .. reach.

    The first and the last frame are repeated beyond the ends (The HTK Book, equation 5.16). Slopes of slopes follow for
    higher orders: the width grows by the factor order + 1.
    """

    order: PositiveInt = param(default=2, doc="How often slopes are taken: 1 adds slopes, 2 slopes and their slopes.")
    reach: PositiveInt = param(default=2, doc="Frames to either side that a slope is made from.")

    def declare(self, d: Any, dim: int) -> int:
        return dim * (1 + self.order)

    def apply(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time, (1 + order) dim]."""
        time, lengths, found = tf.shape(x.values)[1], x.lengths(), [x.zero_padding()]
        weights = [n / (2 * sum(m * m for m in range(1, self.reach + 1))) for n in range(-self.reach, self.reach + 1)]
        index = neighbours(time, 1, -self.reach, self.reach)
        for _ in range(self.order):
            around = gather_inside(found[-1], index, lengths)  # [batch, time, 2 reach + 1, dim]
            found.append(x.zero_padding(tf.einsum("btnd,n->btd", around, tf.constant(weights, around.dtype))))
        return x.with_values(tf.concat(found, -1))


def neighbours(time: Any, stride: int, first: int, last: int) -> Any:
    """[ceil(time / stride), last - first + 1]: the indices around every stride-th position."""
    return tf.range(0, time, stride)[:, tf.newaxis] + tf.range(first, last + 1)


def gather_inside(values: Any, index: Any, lengths: Any) -> Any:
    """values [batch, time, dim] at index [count, n], moved to each row's nearest real position -> [batch, count, n, dim]."""
    last = tf.maximum(lengths - 1, 0)[:, tf.newaxis, tf.newaxis]
    padded = tf.pad(values, [[0, 0], [0, 1], [0, 0]])  # so that there is a position where there is no frame at all
    return tf.gather(padded, tf.minimum(tf.maximum(index, 0)[tf.newaxis], last), batch_dims=1)
