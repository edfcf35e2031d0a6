"""Recipes made up from the component classes: each field has a value that its type allows, whether or not the whole makes sense."""

from __future__ import annotations

import functools
import random
from typing import Any

from seqcfg.component.component import Component
from seqcfg.component.fields import Field, Slot, fields_of
from seqcfg.component.schema import has_written_type
from seqcfg.component.violations import violations
from seqcfg.recipe.classes import ROOT
from seqcfg.recipe.sections import COMPOSITION_KEYS

MAX_DEPTH = 6
SCALARS: list[Any] = [
    None, True, False, 0, 1, 2, 3, 5, 8, 10, 64, 1000, -1, 0.0, 0.1, 0.5, 0.9, 1.0, 2.5, -0.5, 1e-9, 1e5, "x", "a b", "auto", "a/b.txt",
    "no", "LATIN", "1e3", "seqcfg>=0", "ä", "name: #x", "line\nend", "${", "http://127.0.0.1/x.tgz", "a" * 64, "0" * 64, "*.txt", "",
]  # fmt: skip


def recipe(seed: int) -> dict[str, Any]:
    """A recipe without composition keys; the same one for the same seed."""
    draw = random.Random(seed)
    plain = component(ROOT.component, draw, 0)
    return {"recipe_version": 1} | {key: value for key, value in plain.items() if key not in (*COMPOSITION_KEYS, "recipe_version")}


def component(cls: Any, draw: random.Random, depth: int) -> dict[str, Any]:
    """A mapping for this class: what it requires, and some of the rest."""
    plain: dict[str, Any] = {"type": cls.type} if has_written_type(cls) else {}
    for name, field in fields_of(cls).items():
        if field.is_required or draw.random() < (0.4 if depth < MAX_DEPTH else 0):
            found = value(field.slot, draw, depth + 1, field)
            if found is not MISSING:
                plain[name] = found
    return plain


MISSING = object()


def value(slot: Slot, draw: random.Random, depth: int, field: Field | None = None) -> Any:
    """Something of a form that the slot has; MISSING where an optional field finds nothing that fits."""
    forms: list[Any] = [lambda schema=schema: scalar(schema, draw) for schema in slot.scalars]
    if slot.items is not None:
        forms.append(lambda: sized(slot, draw, lambda: value(slot.items, draw, depth + 1)))
    if slot.values is not None:
        names = iter(f"{draw.choice('abc')}{index}" for index in range(100))
        forms.append(lambda: dict(zip(names, sized(slot, draw, lambda: value(slot.values, draw, depth + 1)), strict=False)))
    if slot.component is not None:
        forms.append(lambda: component(member(slot, draw, depth), draw, depth))
    found = draw.choice(forms)() if forms else draw.choice(SCALARS)
    if found is MISSING and field is not None and field.is_required:
        raise ValueError(f"nothing in SCALARS fits the field {field.name}")
    return found


def scalar(schema: dict[str, Any], draw: random.Random) -> Any:
    """A value that the schema allows."""
    return draw.choice(found) if (found := fitting(schema)) else MISSING


@functools.cache
def is_fillable(cls: Any) -> bool:
    """Whether SCALARS has something for each plain field that must be given; the pattern of a new one may ask for more."""
    needed = [field.slot for field in fields_of(cls).values() if field.is_required and not field.slot.is_nested]
    return all(slot.items or slot.values or slot.anything or any(fitting(schema) for schema in slot.scalars) for slot in needed)


def fitting(schema: dict[str, Any]) -> list[Any]:
    return [choice for choice in [*SCALARS, *schema.get("enum", [])] if not any(violations(schema, choice))]


def sized(slot: Slot, draw: random.Random, make: Any) -> list[Any]:
    """A list as long as the slot's rules allow."""
    rules = dict(slot.rules)
    low = max(rules.get("minItems", 0), rules.get("minProperties", 0))
    high = min(rules.get("maxItems", low + 2), rules.get("maxProperties", low + 2), low + 2)
    found = [make() for _ in range(draw.randint(low, max(low, high)))]
    return [item for item in found if item is not MISSING]


def member(slot: Slot, draw: random.Random, depth: int) -> type[Component]:
    """A class that may stand in the slot; deep down, one that needs no other component."""
    if slot.fixed_class is not None:
        return slot.fixed_class
    members = [cls for cls in slot.members.values() if is_fillable(cls)]
    shallow = [cls for cls in members if not any(field.is_required and field.slot.is_nested for field in fields_of(cls).values())]
    return draw.choice(shallow if depth >= MAX_DEPTH and shallow else members)
