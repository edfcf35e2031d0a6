"""From a checked recipe to components: frozen objects with every value of its declared type."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.component.component import Component
from seqcfg.component.fields import Slot, fields_of
from seqcfg.recipe.classes import ROOT, class_at
from seqcfg.recipe.node import Node, Path
from seqcfg.recipe.sections import Recipe


@dataclasses.dataclass
class Built:
    """The recipe, and where each of its components is written; components made by defaults are not listed."""

    recipe: Recipe
    written: list[tuple[Path, Component]]

    def path_of(self, component: Any) -> Path | None:
        """The recipe path of this very object."""
        return self.by_identity().get(id(component))

    def by_identity(self) -> dict[int, Path]:
        return {id(component): path for path, component in self.written}


def build(tree: Node) -> Built:
    """The components of a recipe whose structure has been checked."""
    written: list[tuple[Path, Component]] = []
    recipe = _value(tree, ROOT, (), written)
    return Built(recipe, written)


def _value(node: Node, slot: Slot, path: Path, written: list[tuple[Path, Component]]) -> Any:
    if node.is_mapping and slot.component:
        cls = class_at(node, slot)
        assert cls is not None, f"{path} was not checked"
        fields = fields_of(cls)
        given = {key: _value(child, fields[key].slot, (*path, key), written) for key, child in node.value.items() if key in fields}
        component = cls(**given)
        written.append((path, component))
        return component
    if node.is_mapping and slot.values:
        return {key: _value(child, slot.values, (*path, key), written) for key, child in node.value.items()}
    if node.is_list and slot.items:
        return slot.container(_value(child, slot.items, (*path, index), written) for index, child in enumerate(node.value))
    return number(node.plain(), slot)


def number(value: Any, slot: Slot) -> Any:
    """A number as the slot declares it: 1 becomes 1.0 in a float field, 1e5 becomes 100000 in an int field."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and slot.is_float:
        return float(value)
    types = {schema.get("type") for schema in slot.scalars}
    if isinstance(value, float) and "integer" in types and "number" not in types and value.is_integer():
        return int(value)
    return value
