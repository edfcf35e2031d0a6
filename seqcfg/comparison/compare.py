"""Comparison: everything that is known of how two sides or more differ, as plain data; rendering is elsewhere."""

from __future__ import annotations

import dataclasses
import fnmatch
import math
from collections.abc import Iterable
from typing import Any

from seqcfg.comparison.changes import CLASSES, Change, changes
from seqcfg.comparison.consequences import Consequences, consequences
from seqcfg.comparison.decodes import Decodes, decodes
from seqcfg.comparison.facts import Fact, data_facts, environment_facts
from seqcfg.comparison.outcome import Outcome, outcome
from seqcfg.comparison.sides import Side, open_sides
from seqcfg.comparison.verdict import Verdict, judge
from seqcfg.component.catalog import closest
from seqcfg.component.component import Component
from seqcfg.errors import UserError

PARTS = (*CLASSES, "consequences", "environment", "outcome")  # what --only and --ignore may name, besides recipe paths


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The sides as given, the first being what others are held against, and all that differs among them."""

    sides: list[Side]
    changes: list[Change]
    consequences: Consequences
    data: list[Fact]
    environment: list[Fact]
    outcome: Outcome
    decodes: Decodes
    verdict: Verdict

    @property
    def differs(self) -> bool:
        """Whether anything but the time it took is different."""
        facts = any(fact.differs for fact in (*self.data, *self.environment))
        return bool(self.changes) or facts or self.consequences.differs or self.has_other_outcome

    @property
    def has_other_outcome(self) -> bool:
        """Whether sides that were measured alike reached different figures."""
        told = [row.values for row in self.outcome.rows if row.where in ("best", "equal step")]
        told += [tuple(one.value if one is not None else None for one in measured.intervals) for measured in self.decodes.measured]
        told += [scores.values for scores in self.decodes.scores]
        return any(len({value for value in values if value is not None}) > 1 for values in told)


def compare(texts: Iterable[str], only: Iterable[str] = (), ignore: Iterable[str] = ()) -> Comparison:
    """Compares sides as they are named on the command line; never loads TensorFlow. Raises UserError."""
    return select(compare_sides(open_sides(texts)), only, ignore)


def compare_sides(sides: list[Side]) -> Comparison:
    """Compares sides that are open already."""
    found, data, environment = changes(sides), data_facts(sides), environment_facts(sides)
    reached, outputs = outcome(sides), decodes(sides)
    verdict = judge(sides, found, data, environment, reached, outputs)
    return Comparison(sides, found, consequences(sides), data, environment, reached, outputs, verdict)


def select(comparison: Comparison, only: Iterable[str] = (), ignore: Iterable[str] = ()) -> Comparison:
    """The comparison without what is not asked for. Names are those of PARTS, or patterns of recipe paths such as training.*.

    The verdict stays as it is: what is not shown may still be why sides are not comparable.
    """
    only, ignore = list(only), list(ignore)
    _check(comparison, [*only, *ignore])

    def wants(part: str) -> bool:
        return (not only or part in only) and part not in ignore

    def wants_change(change: Change) -> bool:
        named = not only or change.part in only or any(_fits(change.path, pattern) for pattern in only)
        return named and change.part not in ignore and not any(_fits(change.path, pattern) for pattern in ignore)

    nothing = Consequences([], [])
    return dataclasses.replace(
        comparison,
        changes=[change for change in comparison.changes if wants_change(change)],
        consequences=comparison.consequences if wants("consequences") else nothing,
        data=comparison.data if wants("data") else [],
        environment=comparison.environment if wants("environment") else [],
        outcome=comparison.outcome if wants("outcome") else Outcome([], [], comparison.outcome.states),
        decodes=comparison.decodes if wants("outcome") else Decodes([], [], []),
    )


def _fits(path: str, pattern: str) -> bool:
    return path == pattern or path.startswith(f"{pattern}.") or fnmatch.fnmatchcase(path, pattern)


def _check(comparison: Comparison, names: list[str]) -> None:
    """Refuses names that are neither parts nor the beginning of a recipe path: a typing error would hide everything, or nothing."""
    sections = {str(key) for side in comparison.sides for key in side.experiment.canonical()}
    for name in names:
        if name not in PARTS and name.split(".")[0] not in sections and not any(mark in name for mark in "*?["):
            hint = closest(name, [*PARTS, *sections]) or f"parts are {', '.join(PARTS)}; paths look like training.schedule"
            raise UserError(f"there is no part or section {name!r} to show or to ignore", hint=hint)


def as_plain(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON: sides first, then what differs, then the verdict."""
    sides = [
        {
            "given": side.text,
            "label": side.label,
            "kind": "run" if side.is_run else "recipe",
            "step": side.step,
            "name": side.experiment.name,
            "fingerprint": side.experiment.fingerprint,
            "state": state,
            "notes": list(side.notes),
        }
        for side, state in zip(comparison.sides, comparison.outcome.states)
    ]
    rest = {
        field.name: plain(getattr(comparison, field.name))
        for field in dataclasses.fields(comparison)
        if field.name not in ("sides", "verdict")
    }
    verdict = {"comparable": comparison.verdict.is_comparable} | plain(comparison.verdict)
    return {"sides": sides, "differs": comparison.differs, **rest, "verdict": verdict}


def plain(value: Any) -> Any:
    """Dataclasses, tuples and odd numbers as JSON holds them; NaN and infinities become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type | Component):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
