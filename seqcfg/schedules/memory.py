"""What schedules made of schedules keep: the numbers of each part under its index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seqcfg.component.kinds import Schedule


def memories(schedules: Sequence[Schedule]) -> dict[str, float]:
    """The memory of all parts, as `index/name`."""
    return {f"{index}/{name}": start for index, schedule in enumerate(schedules) for name, start in schedule.memory().items()}


def part(memory: dict[str, Any], index: int) -> dict[str, Any]:
    """The memory of one part."""
    return {name.removeprefix(f"{index}/"): value for name, value in memory.items() if name.startswith(f"{index}/")}


def observe_each(schedules: Sequence[Schedule], memory: dict[str, float], step: int, metrics: dict[str, float]) -> dict[str, float]:
    """The memory of all parts after a validation."""
    seen = [schedule.observe(part(memory, index), step, metrics) for index, schedule in enumerate(schedules)]
    return {f"{index}/{name}": value for index, found in enumerate(seen) for name, value in found.items()}
