"""Values given on the command line: `--set path=value`, and `--set path!` to remove a key or list item."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from seqcfg.component.catalog import closest
from seqcfg.errors import Problem, RecipeError
from seqcfg.recipe.compose import merge
from seqcfg.recipe.node import OVERRIDE, Node, Path, Place, parse_path, text_path
from seqcfg.recipe.read import read_text

RANK = 1 << 30


def apply(tree: Node, overrides: Iterable[str]) -> Node:
    """The recipe with each override laid over it, in order; raises RecipeError."""
    for text in overrides:
        place = Place(f"{OVERRIDE}{text}")
        path, value = _parse(text, place)
        tree = _remove(tree, path, (), place) if value is None else _set(tree, path, (), value)
    return tree


def _parse(text: str, place: Place) -> tuple[Path, Node | None]:
    """The path and the value, None to remove."""
    left, equals, right = text.partition("=")
    is_removal = not equals and left.endswith("!")
    if not equals and not is_removal:
        raise _error(
            place, (), "E0210", "an override is path=value", "for example --set training.steps=100, or --set training.clip! to remove a key"
        )
    try:
        path = parse_path(left.strip().removesuffix("!") if is_removal else left.strip())
    except ValueError as failure:
        raise _error(place, (), "E0210", str(failure), "a path looks like task.model.encoder.layers.2.times") from None
    if is_removal:
        return path, None
    node = read_text(right, place.file, how="override", rank=RANK) if right.strip() else Node(None, place, how="override", rank=RANK)
    for _, part in node.walk():
        part.place, part.key_place = place, part.key_place and place
    return path, node


def _set(node: Node, path: Path, done: Path, value: Node) -> Node:
    if not path:
        return _merge_keeping_overrides(node, value)
    key, rest = path[0], path[1:]
    if node.is_list:
        index = _index(node, key, done, value.place)
        changed: Any = list(node.value)
        changed[index] = _set(changed[index], rest, (*done, index), value)
        return dataclasses.replace(node, value=changed)
    if node.value is None or (not node.is_mapping and node.how == "override"):
        node = dataclasses.replace(node, value={}, how="override")
    if not node.is_mapping:
        raise _error(value.place, done, "E0211", f"{node.value!r} has no keys", "set the whole value instead")
    key = str(key)
    if key == "type" and not rest and "type" in node.value:
        return _merge_keeping_overrides(node, Node({"type": value}, value.place, how="override", rank=RANK))
    below = node.value.get(key)
    if below is None:
        below = _nested(rest, value)
    else:
        below = _set(below, rest, (*done, key), value)
    return dataclasses.replace(node, value=node.value | {key: below})


def _nested(path: Path, value: Node) -> Node:
    for key in reversed(path):
        value = Node({str(key): value}, value.place, how="override", rank=RANK)
    value.key_place = value.place
    return value


def _merge_keeping_overrides(low: Node, high: Node) -> Node:
    """`high` over `low`; where the type changes, fields set by earlier overrides stay."""
    merged = merge(low, high)
    if low.is_mapping and high.is_mapping:
        kept = {key: node for key, node in low.value.items() if node.how == "override" and key not in merged.value}
        merged = dataclasses.replace(merged, value=merged.value | kept)
    return merged


def _remove(node: Node, path: Path, done: Path, place: Place) -> Node:
    key, rest = path[0], path[1:]
    if node.is_list:
        key = _index(node, key, done, place)
    elif not node.is_mapping or str(key) not in node.value:
        known = list(node.value) if node.is_mapping else []
        raise _error(place, (*done, key), "E0212", "there is nothing to remove", closest(str(key), known))
    else:
        key = str(key)
    parts: Any = node.value.copy()
    if rest:
        parts[key] = _remove(parts[key], rest, (*done, key), place)
    else:
        del parts[key]
    return dataclasses.replace(node, value=parts)


def _index(node: Node, key: str | int, done: Path, place: Place) -> int:
    if not isinstance(key, int) or key >= len(node.value):
        raise _error(place, (*done, key), "E0213", f"{text_path(done)} is a list of {len(node.value)}", "items are counted from 0")
    return key


def _error(place: Place, path: Path, code: str, message: str, hint: str = "") -> RecipeError:
    return RecipeError([Problem(message=message, hint=hint, path=text_path(path), file=place.file, code=code)])
