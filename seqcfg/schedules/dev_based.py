"""A decay whenever held-out data says so."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Schedule
from seqcfg.component.types import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt
from seqcfg.lazy import tf


class DevBased(Schedule, type="dev_based"):
    """rate = value factor, where the factor is multiplied by `decay` when a metric has not improved for `window_steps`.

    After each validation at step s, with `best` the step of the best value so far (better by more than the tolerance)
    and `since` the step of the last decay:
        if s - max(since, best) >= window_steps: factor = max(floor_share, decay factor), since = s
    Lingvo's DevBasedSchedule. What it remembers is part of the run's state, so a resumed run decays at the same steps.
    """

    value: PositiveFloat = param(default=1.0, doc="Rate at the start; in a product the factor alone.")
    metric: str = param(default="nll", doc="Metric of validation that is watched.")
    goal: Literal["minimize", "maximize"] = param(default="minimize", doc="Which direction is better.")
    tolerance: NonNegativeFloat = param(default=0.0, doc="Changes up to this do not count as better.")
    window_steps: PositiveInt = param(default=10_000, doc="Updates without a better value before the rate decays.")
    decay: Fraction = param(default=0.5, doc="What the rate is multiplied with each time.")
    floor_share: NonNegativeFloat = param(default=0.01, doc="Share of the value below which the rate does not fall.")

    def memory(self) -> dict[str, float]:
        return {"factor": 1.0, "since": 0.0, "best_step": 0.0, "best": float("inf") if self.goal == "minimize" else float("-inf")}

    def rate(self, step: Any, memory: dict[str, Any]) -> Any:
        return self.value * tf.cast(memory["factor"], tf.float32)

    def observe(self, memory: dict[str, float], step: int, metrics: dict[str, float]) -> dict[str, float]:
        """Raises KeyError when validation does not give the metric."""
        found, now = metrics[self.metric], dict(memory)
        gain = memory["best"] - found if self.goal == "minimize" else found - memory["best"]
        if gain > self.tolerance:
            now |= {"best": found, "best_step": float(step)}
        if step - max(now["since"], now["best_step"]) >= self.window_steps:
            factor = max(self.floor_share, self.decay * now["factor"])
            now |= {"factor": factor, "since": float(step) if factor != now["factor"] else now["since"]}
        return now
