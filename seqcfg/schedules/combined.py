"""Schedules made of schedules that all look at the same step."""

from __future__ import annotations

from typing import Annotated, Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import rules
from seqcfg.lazy import tf
from seqcfg.schedules.memory import memories, observe_each, part

Several = Annotated[list[Schedule], rules(minItems=1)]


class Minimum(Schedule, type="minimum"):
    """rate(t) = the smallest of its schedules' rates: a rise and a decay together make a schedule with a warm-up."""

    schedules: Several = param(doc="The schedules.")

    def memory(self) -> dict[str, float]:
        return memories(self.schedules)

    def rate(self, step: Any, memory: dict[str, Any]) -> Any:
        return tf.reduce_min(tf.stack([schedule.rate(step, part(memory, i)) for i, schedule in enumerate(self.schedules)]))

    def observe(self, memory: dict[str, float], step: int, metrics: dict[str, float]) -> dict[str, float]:
        return observe_each(self.schedules, memory, step, metrics)


class Product(Schedule, type="product"):
    """rate(t) = the product of its schedules' rates: a factor on a schedule, or a decay by validation on top of one by steps."""

    schedules: Several = param(doc="The schedules.")

    def memory(self) -> dict[str, float]:
        return memories(self.schedules)

    def rate(self, step: Any, memory: dict[str, Any]) -> Any:
        return tf.reduce_prod(tf.stack([schedule.rate(step, part(memory, i)) for i, schedule in enumerate(self.schedules)]))

    def observe(self, memory: dict[str, float], step: int, metrics: dict[str, float]) -> dict[str, float]:
        return observe_each(self.schedules, memory, step, metrics)
