"""Node: a value of a recipe together with the place it was written at and the values it replaced."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

Path = tuple[str | int, ...]

OVERRIDE = "--set "  # what the places of values begin with that the command line gives


class Place(NamedTuple):
    """A position in a text; line and column count from 1, and are 0 for values given on the command line."""

    file: str
    line: int = 0
    column: int = 0


@dataclasses.dataclass(frozen=True)
class Origin:
    """One value that was given for a recipe path, and how: "recipe", "base", "defaults", "variable" or "override"."""

    file: str
    line: int
    column: int
    value: Any
    how: str


@dataclasses.dataclass
class Node:
    """`value` is a scalar, a dict of nodes or a list of nodes.

    `rank` orders the files a recipe is composed of: a file's rank is higher than that of its bases, and
    command-line overrides rank highest. `replaced` holds the nodes this one was preferred to, oldest first.
    """

    value: Any
    place: Place
    key_place: Place | None = None
    how: str = "recipe"
    rank: int = 0
    replaced: tuple[Node, ...] = ()

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    def plain(self) -> Any:
        """The value without positions."""
        if self.is_mapping:
            return {key: child.plain() for key, child in self.value.items()}
        if self.is_list:
            return [child.plain() for child in self.value]
        return self.value

    def children(self) -> Iterator[tuple[str | int, Node]]:
        if self.is_mapping:
            yield from self.value.items()
        elif self.is_list:
            yield from enumerate(self.value)

    def walk(self, path: Path = ()) -> Iterator[tuple[Path, Node]]:
        """This node and all below it with their paths, in order of writing."""
        yield path, self
        for key, child in self.children():
            yield from child.walk((*path, key))

    def child(self, key: str | int) -> Node | None:
        if self.is_mapping:
            return self.value.get(key)
        if self.is_list and isinstance(key, int) and 0 <= key < len(self.value):
            return self.value[key]
        return None

    def nearest(self, path: Path) -> tuple[Path, Node]:
        """The deepest existing node on the way to `path`, and its path."""
        node: Node = self
        for index, key in enumerate(path):
            below = node.child(key)
            if below is None:
                return path[:index], node
            node = below
        return path, node

    def origins(self) -> list[Origin]:
        """Every value given for this place, the one that holds last."""
        earlier = [origin for node in self.replaced for origin in node.origins()]
        return [*earlier, Origin(*self.place, self.plain(), self.how)]


def text_path(path: Path) -> str:
    """`("layers", 2, "rate")` as `layers.2.rate`."""
    return ".".join(str(part) for part in path)


def parse_path(text: str) -> Path:
    """`layers[2].rate` and `layers.2.rate` as `("layers", 2, "rate")`; raises ValueError."""
    parts = text.replace("[", ".").replace("]", "").split(".")
    if not all(parts):
        raise ValueError(f"{text!r} has an empty part")
    return tuple(int(part) if part.isdecimal() else part for part in parts)
