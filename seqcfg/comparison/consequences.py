"""Consequences: what follows from recipes before anything is run: weights, parameters, multiply-adds, memory, tokens per step."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from seqcfg.comparison.sides import Side
from seqcfg.plan import memory, table
from seqcfg.recipe.experiment import Experiment
from seqcfg.training.pruning import num_zeros

WHAT = ("added", "removed", "renamed", "renumbered", "resized", "restarted", "frozen")  # most consequential first


@dataclasses.dataclass(frozen=True)
class Quantity:
    """One figure of every side; `unit` is empty for counts, None stands where a side has no such figure."""

    name: str
    unit: str
    values: tuple[float | None, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


@dataclasses.dataclass(frozen=True)
class WeightChange:
    """Weights of equal shapes that differ in the same way; numbers in their paths are replaced by `*`.

    what    one of WHAT; renumbered: another number in the path alone, restarted: another initial value, frozen: trained on one
            side alone
    values  for each side the shape, or initializer, or trained/fixed, as `what` says; empty where the side has none
    size    numbers held by all of them together, by side
    """

    pattern: str
    what: str
    count: int
    values: tuple[str, ...]
    sizes: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Consequences:
    quantities: list[Quantity]
    weights: list[WeightChange]

    @property
    def differs(self) -> bool:
        return bool(self.weights) or any(quantity.differs for quantity in self.quantities)


def consequences(sides: list[Side]) -> Consequences:
    """The plans of all sides next to one another."""
    told = [figures(side.experiment) for side in sides]
    names = dict.fromkeys((name, unit) for one in told for name, unit, _ in one)
    tables = [{name: value for name, _, value in one} for one in told]
    quantities = [Quantity(name, unit, tuple(one.get(name) for one in tables)) for name, unit in names]
    return Consequences(quantities, weight_changes([side.experiment for side in sides]))


def figures(experiment: Experiment) -> list[tuple[str, str, float]]:
    """(name, unit, value) of what a plan tells about one recipe."""
    declaration, recipe = experiment.declaration, experiment.recipe
    training: Any = recipe.training
    positions = memory.batch_tokens(recipe.data)
    needed = memory.of_recipe(recipe, declaration)
    found: list[tuple[str, str, float]] = [
        ("parameters", "", table.total(declaration)),
        ("trained parameters", "", table.total(declaration, only_trainable=True)),
        ("multiply-adds per position", "", table.multiply_adds(declaration)),
        ("memory in training, about", "bytes", needed.peak),
        ("a checkpoint on disk", "bytes", needed.checkpoint),
    ]
    if zeros := num_zeros(training, declaration):
        found.append(("parameters that pruning makes 0", "", zeros))
    if positions:
        found.append(("positions per step, at most", "", positions * getattr(training, "accumulate_batches", 1)))
        if getattr(training, "steps", 0):
            found.append(("positions in all, at most", "", positions * getattr(training, "accumulate_batches", 1) * training.steps))
    return found


def weight_changes(experiments: list[Experiment]) -> list[WeightChange]:
    """How the tables of weights differ, like changes of like weights told once."""
    rows = [{row.path: row for row in table.rows(experiment.declaration)} for experiment in experiments]
    paths = dict.fromkeys(path for one in rows for path in one)
    grouped: dict[tuple[str, str, tuple[str, ...]], list[tuple[int, ...]]] = {}
    for path in paths:
        found = [one.get(path) for one in rows]
        for what, values in _differences(found):
            key = (_pattern(path), what, values)
            grouped.setdefault(key, []).append(tuple(row.size if row is not None else 0 for row in found))
    told = [
        WeightChange(pattern, what, len(sizes), values, tuple(map(sum, zip(*sizes)))) for (pattern, what, values), sizes in grouped.items()
    ]
    return sorted(_merged(_with_renamed(told)), key=lambda change: (WHAT.index(change.what), -max(change.sizes)))


def _differences(found: list[Any]) -> list[tuple[str, tuple[str, ...]]]:
    """The ways in which the rows of one weight differ among the sides."""
    if any(row is None for row in found):
        return [("added" if found[0] is None else "removed", tuple(row.shape if row is not None else "" for row in found))]
    told = {
        "resized": tuple(row.shape for row in found),
        "restarted": tuple(row.initializer for row in found),
        "frozen": tuple("trained" if row.trainable else "fixed" for row in found),
    }
    return [(what, values) for what, values in told.items() if len(set(values)) > 1]


def _with_renamed(changes: list[WeightChange]) -> list[WeightChange]:
    """Of two sides: weights that went from one path to another of the same shape, told as one.

    Only numbers in the path may differ; or else the pair must be the only one of its shape and number.
    """
    gone = [change for change in changes if change.what == "removed" and len(change.values) == 2]
    come = [change for change in changes if change.what == "added" and len(change.values) == 2]
    kept = list(changes)
    for old in gone:
        twins = [new for new in come if (new.values[1], new.count) == (old.values[0], old.count)]
        if same := [new for new in twins if new.pattern == old.pattern]:
            kept = [one for one in kept if one not in (old, same[0])]
            sizes = (old.sizes[0], same[0].sizes[1])
            kept.append(WeightChange(old.pattern, "renumbered", old.count, (old.values[0], old.values[0]), sizes))
            continue
        alike = [one for one in gone if (one.values[0], one.count) == (old.values[0], old.count)]
        if len(twins) == len(alike) == 1 and twins[0] in kept:
            kept.remove(old)
            kept.remove(twins[0])
            pattern = f"{old.pattern} -> {twins[0].pattern}"
            kept.append(WeightChange(pattern, "renamed", old.count, (old.values[0], old.values[0]), (old.sizes[0], twins[0].sizes[1])))
    return kept


def _merged(changes: list[WeightChange]) -> list[WeightChange]:
    """Changes alike in everything but one part of the path, told as one: `layer/{query,key}/kernel`."""
    for place in (-2, -1):
        found: dict[tuple[object, ...], list[WeightChange]] = {}
        for change in changes:
            parts = change.pattern.split("/")
            is_simple = len(parts) >= 2 and "{" not in change.pattern and change.what != "renamed"
            rest = (*parts[:place], *parts[len(parts) + place + 1 :]) if is_simple else (change.pattern,)
            found.setdefault((rest, is_simple, change.what, change.values, change.count), []).append(change)
        changes = [_together(alike, place) for alike in found.values()]
    return changes


def _together(alike: list[WeightChange], place: int) -> WeightChange:
    if len(alike) == 1:
        return alike[0]
    parts = [change.pattern.split("/") for change in alike]
    pattern = list(parts[0])
    pattern[place] = "{" + ",".join(one[place] for one in parts) + "}"
    first = alike[0]
    sizes = tuple(map(sum, zip(*(change.sizes for change in alike))))
    return WeightChange("/".join(pattern), first.what, sum(change.count for change in alike), first.values, sizes)


def _pattern(path: str) -> str:
    return re.sub(r"(?<=/)\d+(?=/|$)", "*", path)
