"""What a reader wants to know about a component, made from its class: fields, types, ranges, defaults, place."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from typing import Any

from seqcfg.component.component import Component
from seqcfg.component.fields import Field, Slot, fields_of

SENTENCE_END = re.compile(r"(?<=\.)(?<!\bal\.)(?<!\be\.g\.)(?<!\bi\.e\.) (?=[A-Z])")
NAMES = {"integer": "int", "number": "float", "string": "text", "boolean": "bool"}


@dataclasses.dataclass(frozen=True)
class FieldPage:
    """One field in words."""

    name: str
    type: str
    default: str  # "" where the recipe must give it
    doc: str


def fields(cls: type[Component]) -> list[FieldPage]:
    """The fields of a component, in order of definition."""
    return [field_page(field) for field in fields_of(cls).values()]


def field_page(field: Field) -> FieldPage:
    return FieldPage(field.name, type_words(field.slot), "" if field.is_required else value_words(field.default_value()), field.doc)


def summary(cls: type[Component]) -> str:
    """The first sentence of the docstring."""
    return first_sentence((inspect.getdoc(cls) or "").split("\n\n")[0])


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence, and not an abbreviation such as "et al."."""
    return SENTENCE_END.split(" ".join(text.split()), maxsplit=1)[0]


def origin(cls: type[Component]) -> str:
    """file:line where the class is defined."""
    return f"{inspect.getsourcefile(cls)}:{inspect.getsourcelines(cls)[1]}"


def type_words(slot: Slot, named: Callable[[Slot, str], str] = lambda slot, name: name) -> str:
    """A slot's type and range, short enough for a table; `named` may dress up the name of a component."""
    if slot.anything:
        return "any"
    forms = [_scalar_words(schema) for schema in slot.scalars if schema.get("type") != "null"]
    if slot.component:
        forms.append(named(slot, slot.component.__name__ if slot.component.kind == "record" else slot.fixed or slot.component.kind))
    if slot.items:
        forms.append(f"list of {type_words(slot.items, named)}")
    if slot.values:
        forms.append(f"mapping to {type_words(slot.values, named)}")
    return " or ".join([*forms, *(["empty"] if slot.is_nullable else [])])


def _scalar_words(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    words = NAMES[schema["type"]]
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    bounds = [f">= {low}" if low is not None else f"> {above}" if above is not None else ""]
    bounds.append(f"<= {high}" if high is not None else f"< {below}" if below is not None else "")
    return f"{words} {', '.join(bound for bound in bounds if bound)}".rstrip()


def value_words(value: Any) -> str:
    """A default as a recipe would write it."""
    if isinstance(value, Component):
        changed = [f"{f.name}: {value_words(getattr(value, f.name))}" for f in fields_of(type(value)).values() if not _is_default(value, f)]
        named = [f"type: {value.type}"] if value.type else []
        return "{" + ", ".join([*named, *changed]) + "}"
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(value_words(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {value_words(item)}" for key, item in value.items()) + "}"
    return "''" if value == "" else str(value)


def _is_default(component: Component, field: Field) -> bool:
    return not field.is_required and getattr(component, field.name) == field.default_value()
