"""LossSum: a loss before it is divided, so that batches, replicas and micro-batches can be added."""

from __future__ import annotations

from typing import Any, NamedTuple


class LossSum(NamedTuple):
    """total: scalar, differentiable, summed over weighted positions; weight: scalar, the sum of their weights.

    metrics holds further sums over the same positions by name; reported divided by `weight`.
    """

    total: Any
    weight: Any
    metrics: dict[str, Any]
