"""The schedules of Transformers, written by the model's width."""

from __future__ import annotations

from typing import Annotated, Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import NonNegativeInt, PositiveFloat, PositiveInt, Probability, rules
from seqcfg.lazy import tf

Exponent = Annotated[float, rules("-0.5 is usual", exclusiveMaximum=0, minimum=-1)]


class Transformer(Schedule, type="transformer"):
    """rate(t) = scale dim^-0.5 min((t + 1) w^(f - 1), (t + offset + 1)^f), f = -0.5: arXiv:1706.03762, equation 3, times a scale."""

    scale: PositiveFloat = param(default=1.0, doc="Factor on the whole schedule.")
    dim: PositiveInt = param(doc="Width of the model whose inverse square root scales the rate.")
    warmup_steps: PositiveInt = param(default=4000, doc="Updates over which the rate rises linearly from 0 to the peak.")
    decay_exponent: Exponent = param(default=-0.5, doc="The f of the formula; the rate falls with this power of the step.")
    offset_steps: NonNegativeInt = param(default=0, doc="Updates that the decay, not the warm-up, counts on top of the real ones.")
    last_step: PositiveInt | None = param(default=None, doc="Update after which the rate stays; null for never.")

    def __call__(self, step: Any) -> Any:
        t = _until(step, self.last_step) + 1.0
        f = self.decay_exponent
        fall = tf.math.rsqrt(t + self.offset_steps) if f == -0.5 else tf.pow(t + self.offset_steps, f)
        return self.scale * self.dim**-0.5 * tf.minimum(t * self.warmup_steps ** (f - 1.0), fall)


class TransformerFlat(Schedule, type="transformer_flat"):
    """rate(t) = scale dim^-0.5 min((t + 1)^-0.5, w^-0.5): the transformer schedule with its peak in place of the warm-up."""

    scale: PositiveFloat = param(default=1.0, doc="Factor on the whole schedule.")
    dim: PositiveInt = param(doc="Width of the model whose inverse square root scales the rate.")
    flat_steps: PositiveInt = param(default=4000, doc="Updates during which the rate stays at its peak.")
    last_step: PositiveInt | None = param(default=None, doc="Update after which the rate stays; null for never.")

    def __call__(self, step: Any) -> Any:
        fall = tf.math.rsqrt(_until(step, self.last_step) + 1.0)
        return self.scale * self.dim**-0.5 * tf.minimum(fall, self.flat_steps**-0.5)


class TransformerRamp(Schedule, type="transformer_ramp"):
    """rate(t) = scale dim^-0.5 (s + (1 - s) min(1, t / w)) max(t, w)^-0.5: the form of the MLPerf benchmark, which starts at t = 0."""

    scale: PositiveFloat = param(default=1.0, doc="Factor on the whole schedule.")
    dim: PositiveInt = param(doc="Width of the model whose inverse square root scales the rate.")
    warmup_steps: PositiveInt = param(default=4000, doc="Updates over which the rate rises linearly to the peak.")
    start_share: Probability = param(default=0.0, doc="Share of the peak at which the warm-up starts, the s of the formula.")

    def __call__(self, step: Any) -> Any:
        t = tf.cast(step, tf.float32)
        rise = self.start_share + (1.0 - self.start_share) * tf.minimum(1.0, t / self.warmup_steps)
        return self.scale * self.dim**-0.5 * rise * tf.math.rsqrt(tf.maximum(t, float(self.warmup_steps)))


def _until(step: Any, last_step: int | None) -> Any:
    t = tf.cast(step, tf.float32)
    return t if last_step is None else tf.minimum(t, float(last_step))
