"""Changes: what recipes say differently, field by field, each with its meaning and with what kind of result it changes."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

from seqcfg.comparison.sides import Side
from seqcfg.comparison.values import ABSENT, Absent, Value, plain, value_of
from seqcfg.component import pages
from seqcfg.component.component import Component
from seqcfg.component.fields import Field, fields_of
from seqcfg.recipe.canonical import HOME, PARTS
from seqcfg.recipe.classes import slot_at
from seqcfg.recipe.node import Path, text_path
from seqcfg.recipe.sections import Recipe

CLASSES = (*PARTS, "cosmetic")  # most consequential first
HOMES = HOME | {"export": "decoding"}
KINDS = {"loss": "training", "optimizer": "training", "schedule": "training"}  # wherever in a recipe they stand
SKIPPED = ("recipe_version", "base", "vars", "defaults")


@dataclasses.dataclass(frozen=True)
class Change:
    """One place where sides differ. `what` is type, added, removed, value or spelled (written out, but the default).

    path    of the first side that has it
    part    one of CLASSES: what the difference can change
    default what holds where nothing is written; empty for what must be given
    values  one for each side
    """

    path: str
    part: str
    what: str
    doc: str
    default: str
    values: tuple[Value, ...]

    @property
    def ratio(self) -> float | None:
        """How many times the first number the last one is; None where that means nothing."""
        first, last = self.values[0].plain, self.values[-1].plain
        numbers = all(isinstance(one, int | float) and not isinstance(one, bool) and one > 0 for one in (first, last))
        return last / first if numbers and not self.path.endswith("seed") else None


@dataclasses.dataclass(frozen=True)
class _Context:
    """Whose field a value is; `part` is its class, `owner` the component that has the field."""

    part: str
    field: Field | None = None
    owner: type[Component] | None = None
    doc: str = ""


def changes(sides: list[Side]) -> list[Change]:
    """All differences among the recipes of two or more sides, most consequential first; the first side is what others are held against."""
    walk = _Walk(sides)
    for name in fields_of(Recipe):
        if name not in SKIPPED:
            values = [side.experiment.name if name == "name" else getattr(side.experiment.recipe, name) for side in sides]
            field = fields_of(Recipe)[name]
            walk.compare(values, [(name,)] * len(sides), _Context(HOMES.get(name, "cosmetic"), field, Recipe, field.doc))
    found = [*walk.found, *_spelled(sides, walk)]
    return sorted(found, key=_consequence)


def _consequence(change: Change) -> tuple[int, int, int, float]:
    kinds = ("type", "added", "removed", "value", "spelled")
    is_seed = change.path.endswith("seed")
    is_structure = all(isinstance(value.plain, int) for value in change.values)  # widths and counts, rather than rates
    size = abs(math.log(change.ratio)) if change.ratio else 0.0
    return CLASSES.index(change.part), kinds.index(change.what), int(is_seed) or -int(is_structure), -size


class _Walk:
    def __init__(self, sides: list[Side]):
        self.sides = sides
        self.found: list[Change] = []
        self.lists: set[Path] = set()  # lists whose items do not stand at the same places

    def compare(self, values: list[Any], paths: list[Path], context: _Context) -> None:
        """Descends as long as the sides are of one form, and notes what differs below."""
        if _same(values):
            return
        first = values[0]
        if isinstance(first, Component) and all(type(value) is type(first) for value in values):
            self._fields(values, paths, context)
        elif all(isinstance(value, dict) for value in values):
            keys = dict.fromkeys(key for value in values for key in value)
            for key in keys:
                self.compare([value.get(key, ABSENT) for value in values], [(*path, key) for path in paths], context)
        elif all(isinstance(value, list | tuple) for value in values) and _has_components(values):
            self._items(values, paths, context)
        else:
            self._note(values, paths, context)

    def _fields(self, values: list[Any], paths: list[Path], context: _Context) -> None:
        cls = type(values[0])
        for name, field in fields_of(cls).items():
            part = (
                "cosmetic" if field.affects == "nothing" else field.affects if field.affects in PARTS else KINDS.get(cls.kind, context.part)
            )
            below = _Context(part if context.part != "cosmetic" else "cosmetic", field, cls, field.doc)
            self.compare([getattr(value, name) for value in values], [(*path, name) for path in paths], below)

    def _items(self, values: list[Any], paths: list[Path], context: _Context) -> None:
        rows = list(_aligned(values))
        if any(len(set(row)) > 1 for row in rows):
            self.lists |= set(paths)
        for row in rows:
            items = [value[index] if index is not None else ABSENT for value, index in zip(values, row)]
            self.compare(items, [(*path, index if index is not None else -1) for path, index in zip(paths, row)], context)

    def _note(self, values: list[Any], paths: list[Path], context: _Context) -> None:
        absent = [isinstance(value, Absent) for value in values]
        path = paths[absent.index(False)]
        types = {type(value) for value in values if isinstance(value, Component)}
        what = "added" if absent[0] else "removed" if any(absent) else "type" if len(types) > 1 else "value"
        component = next(iter(types)) if types else None
        part = KINDS.get(component.kind, context.part) if component is not None and context.part in PARTS else context.part
        field = context.field if context.field is not None and path[-1] == context.field.name else None
        told = tuple(value_of(side, one, value, field, context.owner) for side, one, value in zip(self.sides, paths, values))
        default = pages.value_words(field.default_value()) if field is not None and not field.is_required else ""
        self.found.append(Change(text_path(path), part, what, context.doc, default, told))


def _spelled(sides: list[Side], walk: _Walk) -> Iterator[Change]:
    """Fields that some sides write and others leave to their default, which is the same value."""
    written = [{path: node for path, node in side.experiment.tree.walk() if path and not node.is_mapping} for side in sides]
    changed = {change.path for change in walk.found}
    for path in dict.fromkeys(path for paths in written for path in paths):
        if all(path in paths for paths in written) or path[0] in SKIPPED or path[-1] == "type" or path[0] == "name":
            continue
        prefixes = [path[:length] for length in range(1, len(path) + 1)]
        if any(text_path(prefix) in changed or prefix in walk.lists for prefix in prefixes) or isinstance(path[-1], int):
            continue
        tree = next(side.experiment.tree for side, paths in zip(sides, written) if path in paths)
        owner = slot_at(tree, path)[1]
        field = fields_of(owner).get(str(path[-1])) if owner is not None else None
        if field is None or field.is_required:
            continue
        value = _at(next(side.experiment.recipe for side, paths in zip(sides, written) if path in paths), path)
        told = tuple(value_of(side, path, value, field, owner) for side in sides)
        yield Change(text_path(path), "cosmetic", "spelled", field.doc, pages.value_words(field.default_value()), told)


def _at(component: Any, path: Path) -> Any:
    for key in path:
        component = getattr(component, str(key)) if isinstance(component, Component) else component[key]
    return component


def _same(values: list[Any]) -> bool:
    first = values[0]
    return (
        all(type(value) is type(first) or not isinstance(value, Component | Absent) for value in values)
        and len(set(map(_key, values))) == 1
    )


def _key(value: Any) -> str:
    return "absent" if isinstance(value, Absent) else json.dumps(_typed(value), sort_keys=True)


def _typed(value: Any) -> Any:
    """As JSON, with the class of what is no plain value: two classes may have equal fields."""
    return [f"{type(value).__module__}.{type(value).__qualname__}", plain(value)] if isinstance(value, Component) else plain(value)


def _has_components(values: list[Any]) -> bool:
    return any(isinstance(item, Component) for value in values for item in value)


def _aligned(values: list[Any]) -> Iterator[tuple[int | None, ...]]:
    """Rows of indices, one for each list, of items that correspond; None where a list has no such item.

    Equal items are matched first; between them, items of one type in their order.
    """
    reference = values[0]
    partners: list[dict[int, int]] = []
    for other in values[1:]:
        partners.append(dict(_matches(reference, other)))
    for index in range(len(reference)):
        yield (index, *(found.get(index) for found in partners))
    for number, (other, found) in enumerate(zip(values[1:], partners), 1):
        for index in sorted(set(range(len(other))) - set(found.values())):
            yield tuple(index if place == number else None for place in range(len(values)))


def _matches(one: Any, other: Any) -> Iterator[tuple[int, int]]:
    matcher = SequenceMatcher(None, [_key(item) for item in one], [_key(item) for item in other], autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag == "equal":
            yield from zip(range(start, end), range(other_start, other_end))
        elif tag == "replace":
            yield from _matches_of_types(one, other, range(start, end), range(other_start, other_end))


def _matches_of_types(one: Any, other: Any, here: range, there: range) -> Iterator[tuple[int, int]]:
    types = SequenceMatcher(None, [type(one[i]).__qualname__ for i in here], [type(other[i]).__qualname__ for i in there], autojunk=False)
    blocks = types.get_opcodes()
    for tag, start, end, other_start, other_end in blocks:
        if tag == "equal" or (tag == "replace" and end - start == other_end - other_start):
            yield from itertools.islice(zip(here[start:end], there[other_start:other_end]), None)
