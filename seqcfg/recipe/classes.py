"""Which class each mapping of a recipe stands for, and filling in the `defaults:` of its type."""

from __future__ import annotations

import dataclasses

from seqcfg.component.catalog import closest, load
from seqcfg.component.component import Component
from seqcfg.component.fields import Slot, fields_of
from seqcfg.errors import Problem, RecipeError
from seqcfg.recipe.limits import MAX_DEPTH, MAX_NODES
from seqcfg.recipe.node import Node, Path, text_path
from seqcfg.recipe.problem_list import ProblemList
from seqcfg.recipe.sections import Recipe

ROOT = Slot(component=Recipe)


def class_at(node: Node, slot: Slot) -> type[Component] | None:
    """The class a mapping in this slot stands for, or None if its `type:` is missing or unknown."""
    if (fixed := slot.fixed_class) is not None:
        return fixed
    named = node.value.get("type") if node.is_mapping else None
    return slot.members.get(named.value) if named is not None and isinstance(named.value, str) else None


def slot_at(tree: Node, path: Path) -> tuple[Slot | None, type[Component] | None]:
    """The slot a path leads to, and the component class whose field it is; (None, None) where nothing can stand."""
    slot: Slot | None = ROOT
    owner: type[Component] | None = None
    node: Node | None = tree
    for key in path:
        if slot is None:
            return None, None
        if isinstance(key, int) and slot.items:
            slot = slot.items
        elif slot.component is not None:
            owner = class_at(node, slot) if node is not None else slot.fixed_class
            field = fields_of(owner).get(str(key)) if owner is not None else None
            slot = field.slot if field is not None else None
        else:
            slot = slot.values
        node = node.child(key) if node is not None else None
    return slot, owner


def apply_defaults(tree: Node) -> Node:
    """The recipe with `defaults:` put into every component of the type they name.

    A default yields to what the same recipe writes, and holds against what its bases write.
    """
    table = tree.value.get("defaults")
    if table is None or table.value is None:
        return tree
    _check_table(table)
    return _Defaults({tuple(key.split(".", 1)): node for key, node in table.value.items()}).fill(tree, ROOT, ())


def _check_table(table: Node) -> None:
    problems = ProblemList()
    if not table.is_mapping:
        raise RecipeError([_problem(table, ("defaults",), "E0230", "is a mapping of kind.type to fields")])
    for key, node in table.value.items():
        kind, _, name = key.partition(".")
        known = [f"{kind}.{name}" for kind, family in load().items() for name in family]
        if name not in load().get(kind, {}):
            hint = closest(key, known) or "write kind.type, such as layer.dense"
            problems.append(_problem(node, ("defaults", key), "E0231", f"there is no component {key!r}", hint, at_key=True))
        elif not node.is_mapping or "type" in node.value:
            problems.append(_problem(node, ("defaults", key), "E0230", "is a mapping of fields, without type"))
        else:
            fields = fields_of(load()[kind][name])
            for field in (name_ for name_ in node.value if name_ not in fields):
                message = f"{kind} {name!r} has no field {field!r}"
                problems.append(
                    _problem(node.value[field], ("defaults", key, field), "E0232", message, closest(field, fields), at_key=True)
                )
    if problems:
        raise RecipeError(problems)


class _Defaults:
    def __init__(self, table: dict[tuple[str, ...], Node]):
        self.table, self.count = table, 0

    def fill(self, node: Node, slot: Slot, path: Path) -> Node:
        self.count += 1
        if self.count > MAX_NODES or len(path) > MAX_DEPTH:
            raise RecipeError([_problem(node, path[:3], "E0233", "defaults put components into each other without end")])
        if node.is_list and slot.items:
            return dataclasses.replace(node, value=[self.fill(child, slot.items, (*path, i)) for i, child in enumerate(node.value)])
        if not node.is_mapping:
            return node
        if slot.component is None:
            below = slot.values
            return (
                node
                if below is None
                else dataclasses.replace(node, value={k: self.fill(c, below, (*path, k)) for k, c in node.value.items()})
            )
        cls = class_at(node, slot)
        if cls is None:
            return node
        defaults = self.table.get((cls.kind, cls.type))
        value = dict(node.value)
        for key, default in defaults.value.items() if defaults is not None else ():
            value[key] = _lay(default, value[key]) if key in value else _as_default(default)
        known = fields_of(cls)
        value = {k: self.fill(child, known[k].slot, (*path, k)) if k in known else child for k, child in value.items()}
        return dataclasses.replace(node, value=value)


def _lay(default: Node, written: Node) -> Node:
    """The default under what is written, or over it where a base wrote it."""
    if default.is_mapping and written.is_mapping:
        types = default.value.get("type"), written.value.get("type")
        if types[0] is None or types[1] is None or types[0].value == types[1].value:
            value = dict(written.value)
            for key, node in default.value.items():
                value[key] = _lay(node, value[key]) if key in value else _as_default(node)
            return dataclasses.replace(written, value=value)
    given = _rows(written)
    for row in _rows(_as_default(default)):
        at = next((index for index, other in enumerate(given) if other[-1].rank >= row[-1].rank), len(given))
        given.insert(at, row)
    chain = [node for row in given for node in row]
    return dataclasses.replace(chain[-1], replaced=tuple(chain[:-1]))


def _rows(node: Node) -> list[list[Node]]:
    """What was given for a place, oldest first; each value with the variables it is made of."""
    rows: list[list[Node]] = [[]]
    for part in (*node.replaced, dataclasses.replace(node, replaced=())):
        rows[-1].append(part)
        if part.how != "variable":
            rows.append([])
    return rows[:-1]


def _as_default(node: Node) -> Node:
    value = node.value
    if node.is_mapping:
        value = {key: _as_default(child) for key, child in value.items()}
    elif node.is_list:
        value = [_as_default(child) for child in value]
    replaced = tuple(part if part.how == "variable" else dataclasses.replace(part, how="defaults") for part in node.replaced)
    return dataclasses.replace(node, value=value, how="defaults", replaced=replaced)


def _problem(node: Node, path: Path, code: str, message: str, hint: str = "", at_key: bool = False) -> Problem:
    place = node.key_place if at_key and node.key_place else node.place
    return Problem(message=message, hint=hint, path=text_path(path), file=place.file, line=place.line, column=place.column, code=code)
