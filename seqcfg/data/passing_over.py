"""A plan of batches from which some are left out."""

from __future__ import annotations

from typing import Any

from seqcfg.data.batches import Batch


class PassingOver:
    """The batches of a plan, of which some are passed over: batch n is that of the plan whose number `number_in_plan(n)` gives."""

    def __init__(self, plan: Any, number_in_plan: Any):
        self._plan, self._number_in_plan = plan, number_in_plan

    def batch(self, number: int) -> Batch:
        """Batch `number` of those that are left; it bears the number that it has in the whole plan."""
        return self._plan.batch(self._number_in_plan(int(number)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plan, name)
