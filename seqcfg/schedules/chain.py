"""Schedules one after the other, once or again and again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import PositiveInt, rules
from seqcfg.lazy import tf
from seqcfg.schedules.memory import memories, observe_each, part


class Chain(Schedule, type="chain"):
    """rate(t) = schedules[i](t - b) where i is the number of boundaries <= t, and b the last of them (0 before the first)."""

    boundaries: Annotated[list[PositiveInt], rules(minItems=1)] = param(doc="Updates at which the next schedule begins, rising.")
    schedules: Annotated[list[Schedule], rules(minItems=2)] = param(doc="The schedules; each counts its steps from its own beginning.")

    def check(self):
        if len(self.schedules) != len(self.boundaries) + 1:
            message = f"{len(self.schedules)} schedules do not fit {len(self.boundaries)} boundaries"
            yield "schedules", message, f"give {len(self.boundaries) + 1}"
        if list(self.boundaries) != sorted(set(self.boundaries)):
            yield "boundaries", "the boundaries do not rise", "sort them and remove doubles"

    def memory(self) -> dict[str, float]:
        return memories(self.schedules)

    def rate(self, step: Any, memory: dict[str, Any]) -> Any:
        step = tf.cast(step, tf.int64)
        starts = [0, *self.boundaries]
        rates = [s.rate(tf.maximum(step - starts[i], 0), part(memory, i)) for i, s in enumerate(self.schedules)]
        index = tf.reduce_sum(tf.cast(step >= tf.constant(self.boundaries, tf.int64), tf.int32))
        return tf.gather(tf.stack(rates), index)

    def observe(self, memory: dict[str, float], step: int, metrics: dict[str, float]) -> dict[str, float]:
        return observe_each(self.schedules, memory, step, metrics)


class Cycle(Schedule, type="cycle"):
    """Its schedules in turn, each for its number of steps, and then from the first again."""

    schedules: Annotated[list[Schedule], rules(minItems=1)] = param(doc="The schedules.")
    steps: Annotated[list[PositiveInt], rules(minItems=1)] = param(
        doc="How many updates each is used before the next; as many as schedules."
    )
    count_from: Literal["training", "turn"] = param(
        default="training", doc="Whether schedules count from the first update or from their turn's."
    )

    def check(self):
        if len(self.schedules) != len(self.steps):
            yield "steps", f"{len(self.steps)} numbers of steps do not fit {len(self.schedules)} schedules", "give one each"

    def memory(self) -> dict[str, float]:
        return memories(self.schedules)

    def rate(self, step: Any, memory: dict[str, Any]) -> Any:
        step = tf.cast(step, tf.int64)
        ends = [sum(self.steps[: i + 1]) for i in range(len(self.steps))]
        place = tf.math.floormod(step, ends[-1])
        starts = [0, *ends[:-1]]
        steps = [step if self.count_from == "training" else tf.maximum(place - start, 0) for start in starts]
        rates = [s.rate(steps[i], part(memory, i)) for i, s in enumerate(self.schedules)]
        return tf.gather(tf.stack(rates), tf.reduce_sum(tf.cast(place >= tf.constant(ends, tf.int64), tf.int32)))

    def observe(self, memory: dict[str, float], step: int, metrics: dict[str, float]) -> dict[str, float]:
        return observe_each(self.schedules, memory, step, metrics)
