"""A resolved recipe as HTML in which values that were changed are marked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from html import escape

from seqcfg.comparison.changes import Change
from seqcfg.comparison.sides import Side
from seqcfg.comparison.values import plain as as_plain
from seqcfg.component import pages
from seqcfg.component.fields import Field, fields_of
from seqcfg.recipe.classes import slot_at
from seqcfg.recipe.node import Node, Path, text_path
from seqcfg.recipe.sections import Recipe
from seqcfg.recipe.write import to_yaml

MAX_FLOW = 100  # a mapping or list that is not longer stands in one line


class RecipeView:
    """Renders the recipe of one side; `changes` are those among all sides of the report."""

    def __init__(self, side: Side, changes: list[Change]):
        self._tree = side.experiment.tree
        self._changed = {change.path: change for change in changes if change.what != "spelled"}

    def html(self) -> str:
        """Lines of YAML: <b> what is not the default, <mark> what differs among the runs; each says on hovering what it means."""
        order = list(fields_of(Recipe))
        sections = sorted(self._tree.value.items(), key=lambda item: order.index(item[0]))
        return "\n".join(self._block(dataclasses.replace(self._tree, value=dict(sections)), (), 0))

    def _block(self, node: Node, path: Path, depth: int) -> Iterator[str]:
        pad = "  " * depth
        if node.is_mapping:
            for key, child in node.value.items():
                yield from self._entry(child, (*path, key), depth, f"{pad}{escape(str(key))}:")
        else:
            for index, child in enumerate(node.value):
                yield from self._entry(child, (*path, index), depth, f"{pad}-")

    def _entry(self, child: Node, path: Path, depth: int, head: str) -> Iterator[str]:
        is_long = (child.is_mapping or child.is_list) and child.value and len(json.dumps(child.plain())) > MAX_FLOW
        if not is_long:
            yield f"{head} {self._flow(child, path)}"
        elif head.endswith("-") and child.is_mapping:  # the first key stands beside its dash
            first, *rest = self._block(child, path, depth + 1)
            yield f"{head} {first.lstrip()}"
            yield from rest
        else:
            yield head
            yield from self._block(child, path, depth + 1)

    def _flow(self, node: Node, path: Path) -> str:
        if node.is_mapping:
            return "{" + ", ".join(f"{escape(str(key))}: {self._flow(child, (*path, key))}" for key, child in node.value.items()) + "}"
        if node.is_list:
            return "[" + ", ".join(self._flow(child, (*path, index)) for index, child in enumerate(node.value)) + "]"
        return self._leaf(node, path)

    def _leaf(self, node: Node, path: Path) -> str:
        text = escape(to_yaml([node.value]).strip().removeprefix("[").removesuffix("]").removeprefix("- "))
        change = self._change_at(path)
        field = self._field_at(path)
        told = [field.doc if field is not None else ""]
        is_set = field is None or field.is_required or as_plain(field.default_value()) != as_plain(node.value)
        if field is not None and not field.is_required:
            told.append(f"Default: {pages.value_words(field.default_value())}.")
        if change is not None:
            told.append("Runs: " + " | ".join(value.words for value in change.values))
        title = escape(" ".join(part for part in told if part))
        shown = f"<b>{text}</b>" if is_set else text
        shown = f"<mark>{shown}</mark>" if change is not None else shown
        return f'<span title="{title}">{shown}</span>' if title else shown

    def _change_at(self, path: Path) -> Change | None:
        """The change that a place is a part of."""
        return next((self._changed[found] for n in range(len(path), 0, -1) if (found := text_path(path[:n])) in self._changed), None)

    def _field_at(self, path: Path) -> Field | None:
        owner = slot_at(self._tree, path)[1]
        return fields_of(owner).get(str(path[-1])) if owner is not None and isinstance(path[-1], str) else None


def settings_of(side: Side) -> list[tuple[str, str, str]]:
    """(path, value, default) of what a recipe sets to something else than the default, for Markdown."""
    view = RecipeView(side, [])
    found = []
    for path, node in side.experiment.tree.walk():
        if not path or node.is_mapping or node.is_list:
            continue
        field = view._field_at(path)
        if field is None or field.is_required or as_plain(field.default_value()) == as_plain(node.value):
            continue
        found.append((text_path(path), pages.value_words(node.value), pages.value_words(field.default_value())))
    return found
