"""Rates that jump at given steps."""

from __future__ import annotations

from typing import Annotated, Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import NonNegativeFloat, NonNegativeInt, PositiveInt, rules
from seqcfg.lazy import tf
from seqcfg.schedules.warmup import warmup_factor


class Piecewise(Schedule, type="piecewise"):
    """rate(t) = values[number of boundaries <= t], reached linearly over the warm-up."""

    boundaries: Annotated[list[PositiveInt], rules(minItems=1)] = param(doc="Updates at which the next value begins, rising.")
    values: Annotated[list[NonNegativeFloat], rules(minItems=2)] = param(doc="The rates; one more than boundaries.")
    warmup_steps: NonNegativeInt = param(default=0, doc="Updates over which the rate rises linearly from 0; 0 for none.")

    def check(self):
        if len(self.values) != len(self.boundaries) + 1:
            yield "values", f"{len(self.values)} values do not fit {len(self.boundaries)} boundaries", f"give {len(self.boundaries) + 1}"
        if list(self.boundaries) != sorted(set(self.boundaries)):
            yield "boundaries", "the boundaries do not rise", "sort them and remove doubles"

    def __call__(self, step: Any) -> Any:
        index = tf.reduce_sum(tf.cast(tf.cast(step, tf.int64) >= tf.constant(self.boundaries, tf.int64), tf.int32))
        return tf.gather(tf.constant(self.values, tf.float32), index) * warmup_factor(step, self.warmup_steps)
