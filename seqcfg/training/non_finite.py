"""What happens when an update is not finite."""

from __future__ import annotations

from typing import Literal

from seqcfg.component.component import Record, param
from seqcfg.component.types import PositiveInt


class NonFinite(Record):
    """An update whose loss or gradient is infinite or not a number changes no weight; this says how often that is borne.

    When the run stops, the step, the examples of its batch and the first value that is not finite are named; the state
    before it stays in the newest checkpoint.
    """

    action: Literal["skip", "stop"] = param(default="skip", doc="Whether such an update is left out, or ends the run.", affects="nothing")
    max_in_a_row: PositiveInt = param(
        default=10, doc="More than so many updates that are not finite, one after the other, end the run.", affects="nothing"
    )
    max_total: PositiveInt | None = param(default=None, doc="More than so many in all end the run; null for no bound.", affects="nothing")

    def verdict(self, steps: list[int]) -> str:
        """Why the run should stop after the updates in `steps`, ascending, were left out; empty when it should go on."""
        if not steps:
            return ""
        in_a_row = next((count for count in range(1, len(steps)) if steps[-count - 1] != steps[-1] - count), len(steps))
        if self.action == "stop":
            return "training.non_finite.action is stop"
        if in_a_row > self.max_in_a_row:
            return f"{in_a_row} in a row, and training.non_finite.max_in_a_row is {self.max_in_a_row}"
        if self.max_total is not None and len(steps) > self.max_total:
            return f"{len(steps)} in all, and training.non_finite.max_total is {self.max_total}"
        return ""
