"""Where a value of a recipe comes from, and what it means."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.component import pages
from seqcfg.component.catalog import closest, listed
from seqcfg.component.component import Component
from seqcfg.component.fields import Field, Slot, fields_of
from seqcfg.errors import UserError
from seqcfg.recipe.classes import ROOT, class_at, slot_at
from seqcfg.recipe.node import Node, Origin, Path, parse_path, text_path


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What is known about one recipe path; `field` is None for an item of a list or mapping."""

    path: str
    owner: type[Component] | None
    field: Field | None
    slot: Slot
    component: type[Component] | None  # the class standing at the path, if one does
    node: Node | None  # None where the recipe writes nothing

    @property
    def origins(self) -> list[Origin]:
        """Every value given for the path, the one that holds last; the class default is not among them."""
        return [] if self.node is None else self.node.origins()


def explain(tree: Node, text: str) -> Explanation:
    """What a path of a resolved recipe means; raises UserError for a path that leads nowhere."""
    try:
        path = parse_path(text)
    except ValueError as failure:
        raise UserError(str(failure), hint="a path looks like task.model.encoder.layers.2.times") from None
    slot, owner = slot_at(tree, path)
    found, node = tree.nearest(path)
    here = node if found == path else None
    if slot is None or (here is None and isinstance(path[-1], int)):
        raise _lost(tree, path)
    field = fields_of(owner).get(str(path[-1])) if owner is not None and _is_field(tree, path) else None
    component = class_at(here, slot) if here is not None and here.is_mapping and slot.component else None
    return Explanation(text_path(path), owner, field, slot, component, here)


def as_text(explanation: Explanation) -> str:
    """The explanation for a reader."""
    lines = [explanation.path]
    field, component = explanation.field, explanation.component
    if field is not None:
        lines.append(f"  {field.doc}")
        lines.append(f"  type: {pages.type_words(field.slot)}")
        lines.append(f"  default: {pages.value_words(field.default_value()) if not field.is_required else 'none, it must be given'}")
        if explanation.owner is not None and explanation.owner.type:
            lines.append(f"  field of: {explanation.owner.kind} {explanation.owner.type}")
        if field.affects == "nothing":
            lines.append("  affects no result, and is left out of the fingerprint")
    else:
        lines.append(f"  type: {pages.type_words(explanation.slot)}")
    if component is not None:
        name = f"{component.kind} {component.type}" if component.type else component.__name__
        lines.append(f"  {name}: {pages.summary(component)}")
        lines += [f"    {page.name} ({page.type}): {page.doc}" for page in pages.fields(component)]
    else:
        lines += _chain(explanation)
    return "\n".join(lines)


def _chain(explanation: Explanation) -> list[str]:
    rows = []
    field = explanation.field
    if field is not None and not field.is_required:
        rows.append((pages.value_words(field.default_value()), "class default", ""))
    for origin in explanation.origins:
        place = ":".join(str(part) for part in (origin.file, origin.line, origin.column) if part)
        rows.append((pages.value_words(origin.value), origin.how, place))
    if not rows:
        return ["  has no value"]
    width = max(len(value) for value, _, _ in rows)
    marks = ["  "] * (len(rows) - 1) + ["->"]
    lines = [f"  {mark} {value:{width}}  {how:13}  {place}".rstrip() for mark, (value, how, place) in zip(marks, rows, strict=True)]
    return ["  values, the last one holds:", *lines]


def _is_field(tree: Node, path: Path) -> bool:
    """Whether the path's last part is a component's field, and not a key of a mapping or an index."""
    slot = slot_at(tree, path[:-1])[0]
    return slot is not None and slot.component is not None and isinstance(path[-1], str)


def _lost(tree: Node, path: Path) -> UserError:
    """Names the first part of the path that leads nowhere."""
    for length in range(1, len(path) + 1):
        slot, _ = slot_at(tree, path[:length])
        missing = isinstance(path[length - 1], int) and tree.nearest(path[:length])[0] != path[:length]
        if slot is None or missing:
            return UserError(
                f"{text_path(path[:length])}: there is no such place in the recipe", hint=_known(tree, path[: length - 1], path[length - 1])
            )
    return UserError(f"{text_path(path)}: there is no such place in the recipe")


def _known(tree: Node, above: Path, key: Any) -> str:
    slot, _ = slot_at(tree, above)
    found, node = tree.nearest(above)
    if found != above:
        return ""
    if node.is_list:
        return f"it is a list of {len(node.value)}, counted from 0"
    cls = class_at(node, slot or ROOT) if (slot or ROOT).component else None
    known = list(fields_of(cls)) if cls is not None else list(node.value) if node.is_mapping else []
    return closest(str(key), known) or (f"there is {listed(known)}" if known else "")
