"""Speed perturbation: utterances played faster or slower at random in training."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Any

from seqcfg.component.component import param
from seqcfg.component.types import rules
from seqcfg.initializers.draw import whole
from seqcfg.layers.audio.resampling import ZERO_CROSSINGS, sinc_kernel
from seqcfg.layers.audio.whole import TrainingLayer
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import np, tf

Speed = Annotated[float, rules("0.9 and 1.1 are usual", minimum=0.25, maximum=4)]
MAX_DENOMINATOR = 100  # each of them is a filter


class SpeedPerturbation(TrainingLayer, type="speed_perturbation"):
    """Plays each utterance at one of some speeds, chosen evenly, in training only (Ko et al. 2015, Interspeech).

    Pitch and length change, as on a tape: y[m] is the sound at sample speed * m, band-limited. L samples become
    ceil(L / speed); the batch becomes as long as the slowest speed asks for.
    """

    feature_axes = 0

    speeds: Annotated[list[Speed], rules(minItems=1)] = param(
        factory=lambda: [0.9, 1.0, 1.1], doc="Speeds, 1 is that of the recording; ratios of whole numbers up to 100."
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        for speed in self.speeds:
            if abs(_ratio(speed) - Fraction(speed)) > 1e-9:
                yield "speeds", f"{speed} is no ratio of whole numbers up to {MAX_DENOMINATOR}", f"take {float(_ratio(speed)):.6g}"

    def apply(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, samples] -> [batch, ceil(samples / slowest speed)] in training."""
        if not w.training or self.speeds == [1.0]:
            return x
        samples, lengths = x.zero_padding(), x.lengths()
        chosen = whole(tf.fill(tf.shape(lengths), len(self.speeds)), w.seed())
        time = _length(tf.shape(samples)[1], _ratio(min(self.speeds)))
        values, new_lengths = tf.zeros([tf.shape(samples)[0], time], samples.dtype), lengths
        for number, ratio in enumerate(map(_ratio, self.speeds)):
            is_chosen = chosen == number
            played = resampled(samples, ratio)
            played = tf.pad(played, [[0, 0], [0, time - tf.shape(played)[1]]])
            values = tf.where(is_chosen[:, tf.newaxis], played, values)
            new_lengths = tf.where(is_chosen, _length(lengths, ratio), new_lengths)
        mask = tf.sequence_mask(new_lengths, time)
        return dataclasses.replace(x, values=tf.where(mask, values, tf.zeros([], values.dtype)), mask=mask)


def resampled(samples: Any, ratio: Fraction) -> Any:
    """samples [batch, time] read at every `ratio`-th sample, ratio = p / q: [batch, ceil(time / ratio)].

    Results q b + r lie at p b + r p / q: one convolution with stride p and a filter for each r.
    """
    if ratio == 1:
        return samples
    p, q = ratio.numerator, ratio.denominator
    cutoff = min(1.0, q / p)
    reach = math.ceil(ZERO_CROSSINGS / cutoff)
    taps = np.arange(-reach, reach + p + 1)
    filters = np.stack([sinc_kernel(taps - r * p / q, cutoff, reach) for r in range(q)], 1)  # [taps, q]
    time = tf.shape(samples)[1]
    count = _length(time, ratio)
    blocks = (count + q - 1) // q
    right = tf.maximum(blocks * p + reach + 1 - time, 0)
    padded = tf.pad(samples, [[0, 0], [reach, right]])[:, :, tf.newaxis]
    kernel = tf.constant(filters, samples.dtype)[:, tf.newaxis]  # [taps, 1, q]
    found = tf.nn.conv1d(padded, kernel, p, "VALID")[:, :blocks]
    return tf.reshape(found, [tf.shape(samples)[0], blocks * q])[:, :count]  # [batch, blocks, q] -> [batch, count]


def _length(length: Any, ratio: Fraction) -> Any:
    """ceil(length / ratio) of an int tensor."""
    return (length * ratio.denominator + ratio.numerator - 1) // ratio.numerator


def _ratio(speed: float) -> Fraction:
    return Fraction(speed).limit_denominator(MAX_DENOMINATOR)
