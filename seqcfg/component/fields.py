"""What each field of a component may hold, told once from its type hint."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from typing import Annotated, Any, Literal, Union

from seqcfg.component.catalog import load
from seqcfg.component.component import Component
from seqcfg.component.types import FixedType, Rules
from seqcfg.component.violations import KEYWORDS

SCALARS: dict[Any, str] = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


@dataclasses.dataclass(frozen=True)
class Slot:
    """The forms a value may take; a slot with several forms is a union, told apart by the form that is written.

    `scalars` are JSON Schemas of which one must hold; `component` is a family, a concrete component or a record,
    with the member in `fixed` if the recipe names none; `items` and `values` are what a list or mapping holds.
    """

    scalars: tuple[dict[str, Any], ...] = ()
    component: type[Component] | None = None
    fixed: str = ""
    items: Slot | None = None
    container: type = list
    values: Slot | None = None
    rules: tuple[tuple[str, Any], ...] = ()  # of the list or mapping itself
    hint: str = ""
    anything: bool = False

    @functools.cached_property
    def is_nullable(self) -> bool:
        return any(schema.get("type") == "null" for schema in self.scalars)

    @functools.cached_property
    def is_float(self) -> bool:
        types_ = {schema.get("type") for schema in self.scalars}
        return "number" in types_ and "integer" not in types_

    @functools.cached_property
    def is_nested(self) -> bool:
        """Whether a component stands somewhere in it."""
        return self.component is not None or any(part is not None and part.is_nested for part in (self.items, self.values))

    @property
    def members(self) -> dict[str, type[Component]]:
        """The types that may stand here; empty for records."""
        if self.component is None or self.component.kind == "record":
            return {}
        key: Any = self.component  # mypy takes a class for its instances where hashing is concerned
        return _members(key, len(load().get(self.component.kind, ())))

    @property
    def fixed_class(self) -> type[Component] | None:
        """The class that stands here whatever the recipe writes, or None where `type:` chooses."""
        if self.component is None or self.component.kind == "record" or self.component.type:
            return self.component
        return load().get(self.component.kind, {}).get(self.fixed) if self.fixed else None


@functools.cache
def _members(family: Any, size: int) -> dict[str, type[Component]]:
    """Members of a family; `size` is how many there are by now, so that a later one is seen."""
    return {name: cls for name, cls in sorted(load().get(family.kind, {}).items()) if issubclass(cls, family)}


@dataclasses.dataclass(frozen=True)
class Field:
    """One key of a component."""

    name: str
    slot: Slot
    doc: str
    affects: str
    default: Any  # dataclasses.MISSING where the recipe must give it
    factory: Any
    is_later: bool = False

    @property
    def is_required(self) -> bool:
        return self.default is dataclasses.MISSING and self.factory is dataclasses.MISSING

    def default_value(self) -> Any:
        return self.factory() if self.default is dataclasses.MISSING else self.default


def fields_of(cls: type[Component]) -> dict[str, Field]:
    """The fields of a component class, in order of definition; raises TypeError for a hint no recipe can fill."""
    key: Any = cls  # mypy takes a class for its instances where hashing is concerned
    return _fields_of(key)


@functools.cache
def _fields_of(cls: Any) -> dict[str, Field]:
    hints = typing.get_type_hints(cls, include_extras=True)
    found = {}
    for field in dataclasses.fields(cls):
        try:
            slot = slot_of(hints[field.name])
        except TypeError as failure:
            raise TypeError(f"{cls.__module__}.{cls.__name__}.{field.name}: {failure}") from None
        metadata = field.metadata
        found[field.name] = Field(
            field.name,
            slot,
            metadata.get("doc", ""),
            metadata.get("affects", "result"),
            field.default,
            field.default_factory,
            metadata.get("is_later", False),
        )
    return found


def slot_of(hint: Any) -> Slot:
    """The slot of one type hint."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _annotate(slot_of(arguments[0]), arguments[1:])
    if origin in (Union, types.UnionType):
        return functools.reduce(_either, map(slot_of, arguments))
    if origin is Literal:
        return Slot(({"enum": list(arguments)},))
    if origin is list:
        return Slot(items=slot_of(arguments[0]))
    if origin is tuple:
        return _tuple(arguments)
    if origin is dict:
        return Slot(values=slot_of(arguments[1]))
    if hint is Any:
        return Slot(anything=True)
    if isinstance(hint, type) and issubclass(hint, Component):
        return Slot(component=hint)
    if hint in SCALARS:
        return Slot(({"type": SCALARS[hint]},))
    raise TypeError(f"a recipe cannot fill the type {hint}")


def _tuple(arguments: tuple[Any, ...]) -> Slot:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return Slot(items=slot_of(arguments[0]), container=tuple)
    if len(set(arguments)) != 1:
        raise TypeError("the items of a tuple must be of one type")
    length = len(arguments)
    return Slot(items=slot_of(arguments[0]), container=tuple, rules=(("maxItems", length), ("minItems", length)))


def _annotate(slot: Slot, marks: tuple[Any, ...]) -> Slot:
    for mark in marks:
        if isinstance(mark, FixedType):
            slot = dataclasses.replace(slot, fixed=mark.type)
        elif isinstance(mark, Rules):
            if unknown := sorted({keyword for keyword, _ in mark.keywords} - KEYWORDS):
                raise TypeError(f"rules has no keyword {', '.join(unknown)}")
            slot = dataclasses.replace(slot, hint=mark.hint or slot.hint)
            if slot.items or slot.values:
                slot = dataclasses.replace(slot, rules=slot.rules + mark.keywords)
            else:
                slot = dataclasses.replace(slot, scalars=tuple(schema | dict(mark.keywords) for schema in slot.scalars))
    return slot


def _either(one: Slot, other: Slot) -> Slot:
    if any(getattr(one, form) and getattr(other, form) for form in ("component", "items", "values")):
        raise TypeError("a union of two families, lists or mappings cannot be told apart")
    return Slot(
        one.scalars + other.scalars,
        one.component or other.component,
        one.fixed or other.fixed,
        one.items or other.items,
        one.container if one.items else other.container,
        one.values or other.values,
        one.rules + other.rules,
        one.hint or other.hint,
        one.anything or other.anything,
    )
