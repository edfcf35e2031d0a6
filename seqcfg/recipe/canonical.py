"""The canonical form of a recipe, with every default filled in, and the fingerprint made of it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from seqcfg.component.component import Component
from seqcfg.component.fields import Slot, fields_of
from seqcfg.component.schema import has_written_type
from seqcfg.recipe.build import number
from seqcfg.recipe.sections import COMPOSITION_KEYS, Recipe

PARTS = ("data", "model", "training", "decoding")
HOME = {
    "data": "data", "tokenizers": "data", "task": "model", "training": "training", "quantisation": "training", "evaluation": "decoding",
    "decoding": "decoding",
}  # fmt: skip


def canonical(component: Component, *, only_result: bool = False) -> dict[str, Any]:
    """A component as a plain mapping with sorted keys; `only_result` leaves out fields that affect nothing.

    It validates as a recipe (or as a part of one), and stands for the very same components.
    """
    fields = fields_of(type(component))
    plain: dict[str, Any] = {"type": component.type} if has_written_type(type(component)) else {}
    for name, field in fields.items():
        value = getattr(component, name)
        if only_result and (field.affects == "nothing" or (field.is_later and value == field.default_value())):
            continue
        plain[name] = _plain(value, field.slot, only_result)
    return dict(sorted(plain.items()))


def canonical_recipe(recipe: Recipe) -> dict[str, Any]:
    """The canonical form of a whole recipe, without the keys that composition used up."""
    return {key: value for key, value in canonical(recipe).items() if key not in COMPOSITION_KEYS}


def only_changed(component: Component) -> dict[str, Any]:
    """A component as a plain mapping of the fields that differ from their class defaults, in order of definition.

    It stands for the very same component; a nested one is told by its own defaults, not by those of its field.
    """
    cls = type(component)
    plain: dict[str, Any] = {"type": component.type} if has_written_type(cls) else {}
    for name, field in fields_of(cls).items():
        value = getattr(component, name)
        if field.is_required or value != field.default_value():
            plain[name] = _changed(value, field.slot)
    return plain


def _changed(value: Any, slot: Slot) -> Any:
    if isinstance(value, Component):
        return only_changed(value)
    if isinstance(value, dict):
        return {key: _changed(item, slot.values or Slot(anything=True)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_changed(item, slot.items or Slot(anything=True)) for item in value]
    return number(value, slot)


def fingerprint(recipe: Recipe) -> dict[str, str]:
    """SHA-256 of the canonical form in four parts, so that a difference says which part differs.

    `data` covers the data section, the tokenizers and the features the task reads: what prepared columns depend on.
    A field declared with `affects="training"` (how batches are made, say) counts there instead of at its place.
    """
    parts: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    for key, part in HOME.items():
        value = getattr(recipe, key)
        if isinstance(value, Component):
            _distribute(value, key, part, parts)
        elif value is not None or not fields_of(Recipe)[key].is_later:
            parts[part][key] = {name: canonical(member, only_result=True) for name, member in sorted((value or {}).items())}
    if hasattr(recipe.task, "features"):
        parts["data"]["features"] = {name: feature.told() for name, feature in sorted(recipe.task.features().items())}
    return {part: hashlib.sha256(_bytes(value)).hexdigest() for part, value in parts.items()}


def _distribute(component: Component, key: str, part: str, parts: dict[str, dict[str, Any]]) -> None:
    plain = canonical(component, only_result=True)
    for name, field in fields_of(type(component)).items():
        if field.affects in PARTS and field.affects != part and name in plain:
            parts[field.affects][f"{key}.{name}"] = plain.pop(name)
    parts[part][key] = plain


def _plain(value: Any, slot: Slot, only_result: bool) -> Any:
    if isinstance(value, Component):
        return canonical(value, only_result=only_result)
    if isinstance(value, dict):
        return {key: _plain(value[key], slot.values or Slot(anything=True), only_result) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_plain(item, slot.items or Slot(anything=True), only_result) for item in value]
    value = number(value, slot)
    return value + 0.0 if isinstance(value, float) else value  # -0.0 becomes 0.0


def _bytes(plain: Any) -> bytes:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
