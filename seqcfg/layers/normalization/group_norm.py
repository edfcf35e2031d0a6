"""Normalisation of each example by itself, over time and groups of features."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import SequenceLayer
from seqcfg.component.types import PositiveFloat, PositiveInt
from seqcfg.errors import UserError
from seqcfg.initializers.constant import Ones
from seqcfg.layers.sequence import Sequence, refuse_packed
from seqcfg.layers.static_shape import with_static_shape
from seqcfg.lazy import tf


class PerExample(SequenceLayer):
    """(x - mean) / sqrt(variance + epsilon) * gain + bias, moments over the real positions of an example and a group of features.

    On maps over time and frequency, groups are of channels and moments are over all frequencies, too. Cumulative moments
    are over the positions so far, so that the layer runs step by step; position t then adds its square deviation from
    the mean at t, as in Lingvo's GroupNormLayer. Statistics are taken in float32. Padded positions become 0.
    """

    feature_axes = None
    respects_segments = False

    epsilon: PositiveFloat = param(default=1e-5, doc="Added to the variance, in squared units of the input.")
    gain: Literal["direct", "one_plus"] = param(
        default="direct", doc="Whether the factor is the weight itself, which starts at 1, or 1 plus it, which starts at 0."
    )
    cumulative: bool = param(default=False, doc="Whether the moments at a position are those of it and the earlier ones.")

    def declare(self, d: Any, width: Any) -> Any:
        if width == ():
            raise d.misfit("takes one feature axis or more and is given a waveform", "put it behind log_mel")
        dim = width[-1] if isinstance(width, tuple) else width
        if dim % self.groups(dim):
            raise d.misfit(f"{self.groups(dim)} groups do not divide the width {dim}", "take a divisor", "num_groups")
        d.weight("gain", (dim,), Ones() if self.gain == "direct" else None, axes=("output",))
        d.weight("bias", (dim,), axes=("output",))
        return width

    def groups(self, dim: int) -> int:
        """How many groups `dim` features form."""
        raise TypeError(f"{type(self).__name__} defines no groups")

    def kept(self, d: Any, at: Any) -> float:
        return at.outputs * 3 * d.features_out  # distances from the mean, with and without padding, and what is normalised

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, ..., dim] -> [batch, time, ..., dim]."""
        refuse_packed(x, f"{w.path}: moments over time")
        return self._normalize(w, x, self._zeros(w, tf.shape(x.values)[0]))[0]

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        if not self.cumulative:
            raise UserError(f"{w.path}: moments of a whole sequence are not known step by step", hint="set cumulative: true")
        return {}, self._zeros(w, tf.shape(sequence.values)[0])

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """Any number of positions at a time."""
        return self._normalize(w, x, moving)

    def _normalize(self, w: Any, x: Sequence, before: dict[str, Any]) -> tuple[Sequence, dict[str, Any]]:
        """Moments go on from sums of earlier positions, which are 0 where there are none."""
        dim = x.values.shape[-1]
        num_groups, shape = self.groups(dim), tf.shape(x.values)
        grouped = tf.reshape(tf.cast(x.values, tf.float32), [shape[0], shape[1], -1, num_groups, dim // num_groups])
        real = tf.ones(shape[:2]) if x.mask is None else tf.cast(x.mask, tf.float32)
        real = tf.reshape(real, [shape[0], shape[1], 1, 1, 1])
        per_position = tf.cast(tf.shape(grouped)[2] * (dim // num_groups), tf.float32)

        count, last_count = self._total(real * per_position, before["count"])
        total, last_total = self._total(tf.reduce_sum(grouped * real, [2, 4], keepdims=True), before["total"])
        mean = total / tf.maximum(count, 1.0)
        square = tf.reduce_sum(tf.square(grouped - mean) * real, [2, 4], keepdims=True)
        squares, last_squares = self._total(square, before["squares"])
        y = (grouped - mean) * tf.math.rsqrt(squares / tf.maximum(count, 1.0) + self.epsilon)
        gain = w.stored("gain") + (1.0 if self.gain == "one_plus" else 0.0)
        y = tf.cast(tf.reshape(y, shape) * gain + w.stored("bias"), x.values.dtype)
        after = {"count": last_count, "total": last_total, "squares": last_squares}
        return x.with_values(x.zero_padding(with_static_shape(y, x.values.shape))), after

    def _total(self, values: Any, before: Any) -> tuple[Any, Any]:
        """values [batch, time, 1, group, 1] -> their sums over time, up to each position if cumulative, and the last sum."""
        sums = before + (tf.cumsum(values, 1) if self.cumulative else tf.reduce_sum(values, 1, keepdims=True))
        return sums, sums[:, -1:]

    def _zeros(self, w: Any, rows: Any) -> dict[str, Any]:
        dim = w.width[-1] if isinstance(w.width, tuple) else w.width
        sums = tf.zeros([rows, 1, 1, self.groups(dim), 1])
        return {"count": tf.zeros([rows, 1, 1, 1, 1]), "total": sums, "squares": sums}


class GroupNorm(PerExample, type="group_norm"):
    """Normalises groups of features by their moments over an example (arXiv:1803.08494)."""

    num_groups: PositiveInt = param(default=32, doc="Number of groups; it divides the width.")

    def groups(self, dim: int) -> int:
        return self.num_groups


class InstanceNorm(PerExample, type="instance_norm"):
    """Normalises each feature by its moments over an example (arXiv:1607.08022)."""

    def groups(self, dim: int) -> int:
        return dim
