"""The schema phase: keys, types and ranges of every component, each held against its own flat schema."""

from __future__ import annotations

from typing import Any

from seqcfg.component.catalog import closest
from seqcfg.component.component import Component
from seqcfg.component.fields import Slot, fields_of
from seqcfg.component.schema import has_written_type, problems_in, problems_of
from seqcfg.component.violations import Violation
from seqcfg.errors import Problem
from seqcfg.recipe.classes import ROOT
from seqcfg.recipe.messages import describe, explain, show
from seqcfg.recipe.node import Node, Path, Place, text_path
from seqcfg.recipe.problem_list import ProblemList

MAX_LISTED = 15


def check_structure(tree: Node) -> list[Problem]:
    """Everything in a composed recipe that its classes do not allow."""
    walk = _Walk()
    walk.component(tree, ROOT, ())
    return walk.problems


def problem_at(node: Node, path: Path, code: str, message: str, hint: str = "", at_key: bool = False) -> Problem:
    """A problem with a node's value, or with its key."""
    place: Place = node.key_place if at_key and node.key_place else node.place
    return Problem(message=message, hint=hint, path=text_path(path), file=place.file, line=place.line, column=place.column, code=code)


class _Walk:
    def __init__(self) -> None:
        self.problems = ProblemList()

    def add(self, node: Node, path: Path, code: str, message: str, hint: str = "", at_key: bool = False) -> None:
        self.problems.append(problem_at(node, path, code, message, hint, at_key))

    def value(self, node: Node, slot: Slot, path: Path) -> None:
        """A value in a slot that holds components somewhere; its form has been checked already."""
        if node.is_mapping and slot.component:
            self.component(node, slot, path)
        elif node.is_mapping and slot.values:
            for key, child in node.value.items():
                self.item(child, slot.values, (*path, key))
        elif node.is_list and slot.items:
            for index, child in enumerate(node.value):
                self.item(child, slot.items, (*path, index))

    def item(self, node: Node, slot: Slot, path: Path) -> None:
        """An item of a list or mapping of components; where it holds none, its form has been checked already."""
        if not slot.is_nested:
            return
        fits = (node.is_mapping and (slot.component or slot.values)) or (node.is_list and slot.items)
        if not fits and not (slot.scalars and not node.is_mapping and not node.is_list):
            is_family = slot.component is not None and slot.fixed_class is None
            wanted = _article(slot.component.kind) if is_family else "a list" if slot.items else "a mapping"  # type: ignore[union-attr]
            self.add(
                node,
                path,
                "E0311",
                f"{show(node.plain())} should be {wanted}",
                f"write {{type: {node.value}}}" if isinstance(node.value, str) and node.value in slot.members else "",
            )
            return
        if not node.is_mapping or slot.component is None:
            for error in problems_in(slot, _shallow(node, slot)):
                self.add(node.nearest(error.path)[1], (*path, *error.path), *explain(error, slot.hint))
        self.value(node, slot, path)

    def component(self, node: Node, slot: Slot, path: Path) -> None:
        cls = slot.fixed_class
        if cls is None and slot.fixed:
            self.add(node, path, "E0312", f"this installation has no {slot.component.kind} {slot.fixed!r}", "reinstall seqcfg", at_key=True)  # type: ignore[union-attr]
            return
        if cls is None:
            cls = self.chosen(node, slot, path)
        if cls is not None:
            self.fields(node, cls, path)

    def chosen(self, node: Node, slot: Slot, path: Path) -> type[Component] | None:
        kind = slot.component.kind  # type: ignore[union-attr]
        named = node.value.get("type")
        members = slot.members
        if named is None:
            self.add(node, path, "E0303", f"a {kind} needs a type", _listed(kind, members), at_key=True)
        elif not isinstance(named.value, str) or named.value not in members:
            self.add(
                named, (*path, "type"), "E0304", f"there is no {kind} called {show(named.plain())}", _other(named.value, kind, members)
            )
        else:
            return members[named.value]
        return None

    def fields(self, node: Node, cls: type[Component], path: Path) -> None:
        fields = fields_of(cls)
        shallow = {key: _shallow(child, fields[key].slot) if key in fields else child.plain() for key, child in node.value.items()}
        for error in problems_of(cls, shallow):
            self.translate(error, node, cls, path)
        for key, child in node.value.items():
            if key in fields and fields[key].slot.is_nested:
                self.value(child, fields[key].slot, (*path, key))

    def translate(self, error: Violation, node: Node, cls: type[Component], path: Path) -> None:
        fields = fields_of(cls)
        if error.keyword == "additionalProperties" and not error.path:
            known = [*fields, "type"] if has_written_type(cls) else list(fields)
            for key in node.value:
                if key not in known:
                    hint = closest(key, known) or (f"it takes {', '.join(known)}" if len(known) <= MAX_LISTED else "")
                    self.add(node.value[key], (*path, key), "E0301", f"{_named(cls)} has no field {key!r}", hint, at_key=True)
        elif error.keyword == "required" and not error.path:
            for key in error.rule:
                if key not in node.value and not any(p.path == text_path((*path, key)) for p in self.problems):
                    self.add(node, (*path, key), "E0302", f"{_named(cls)} needs {key!r}", fields[key].doc, at_key=True)
        else:
            below = error.path
            place = node.nearest(below)[1]
            slot = fields[below[0]].slot if below and below[0] in fields else None
            if slot is not None and slot.component is not None and not below[1:] and error.keyword in ("type", "anyOf"):
                self.wrong_form(place, slot, (*path, *below), error)
            else:
                self.add(place, (*path, *below), *explain(error, slot.hint if slot else ""))

    def wrong_form(self, node: Node, slot: Slot, path: Path, error: Violation) -> None:
        """Something else where a component belongs."""
        others = [describe(schema) for schema in slot.scalars]
        wanted = " or ".join(["a mapping" if slot.fixed_class is not None else _article(slot.component.kind), *others])  # type: ignore[union-attr]
        hint = f"write {{type: {node.value}}}" if isinstance(node.value, str) and node.value in slot.members else ""
        if not hint and isinstance(node.value, str) and slot.members:
            hint = closest(node.value, slot.members)
        self.add(node, path, "E0311", f"{show(node.plain())} should be {wanted}", hint)


def _shallow(node: Node, slot: Slot) -> Any:
    """The plain value with components replaced by {}, for the flat schema."""
    if not slot.is_nested:
        return node.plain()
    if node.is_list:
        return [_bare(child, slot.items) for child in node.value]
    if node.is_mapping:
        return {} if slot.component else {key: _bare(child, slot.values) for key, child in node.value.items()}
    return node.value


def _bare(node: Node, slot: Slot | None) -> Any:
    """An item's plain value, or {} where it is looked at by itself."""
    return {} if slot is None or slot.is_nested else node.plain()


def _named(cls: type[Component]) -> str:
    if cls.kind == "record":
        return "a recipe" if cls is ROOT.component else "this mapping"
    return f"{cls.kind} {cls.type!r}" if cls.kind != "section" else f"section {cls.type!r}"


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}: a mapping with 'type:'"


def _other(written: Any, kind: str, members: dict[str, Any]) -> str:
    """The remedy for a type that is not there."""
    if not isinstance(written, str):
        return _listed(kind, members)
    plugin = f"it comes from a plugin called {written.split('.')[0]!r}, perhaps; name its package in 'requires:'" if "." in written else ""
    return closest(written, members) or plugin or _listed(kind, members)


def _listed(kind: str, members: dict[str, Any]) -> str:
    if len(members) < 2:
        return f"the only one is {next(iter(members))}" if members else f"no {kind} is installed"
    return f"one of {', '.join(members)}" if len(members) <= MAX_LISTED else f"'seqcfg components {kind}' lists all {len(members)}"
