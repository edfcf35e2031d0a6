"""The table of weights of a declaration: rows, totals, parts, and the golden form that tests compare."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.component import pages
from seqcfg.component.component import Component
from seqcfg.component.fields import fields_of
from seqcfg.plan.declaration import Declaration, Weight, Width

LOOKED_UP = {"vocabulary", "position", "positions", "time"}  # first axes of tables that are read by index, not multiplied


@dataclasses.dataclass(frozen=True)
class Row:
    """One weight in words."""

    path: str
    shape: str
    size: int
    initializer: str
    trainable: bool


@dataclasses.dataclass(frozen=True)
class Part:
    """The share of one child of the model: how many numbers it holds, and multiply-adds per position it is applied to.

    Multiply-adds count products with weight matrices alone: one per entry and use. Products of activations with each
    other (attention scores) and looked-up tables are not in it; a table that is also the output costs its size once more.
    """

    path: str
    type: str
    weights: int
    multiply_adds: int
    output: Width


def rows(declaration: Declaration) -> list[Row]:
    """Every weight once, in order of declaration."""
    return [
        Row(weight.path, shape_words(weight.shape), weight.size, initializer_words(weight.initializer), weight.trainable)
        for weight in declaration.all_weights()
    ]


def total(declaration: Declaration, *, only_trainable: bool = False) -> int:
    """How many numbers the weights hold together."""
    return sum(weight.size for weight in declaration.all_weights() if weight.trainable or not only_trainable)


def parts(declaration: Declaration, depth: int) -> list[Part]:
    """The nodes at this depth below the root, and shallower ones without children; shared weights count where they first stand."""
    seen: set[str] = set()
    return [_part(node, seen) for node in _nodes_at(declaration, depth)]


def widths(declaration: Declaration) -> list[tuple[str, str, Width]]:
    """(path, type, output width) of every component of the tree that passes on a width."""
    return [(node.path, _type(node), node.output) for node in declaration.nodes() if node.output is not None]


def golden(declaration: Declaration) -> str:
    """One line per weight `path shape size initializer trainable`, then the totals."""
    lines = [
        f"{row.path} {row.shape} {row.size} {row.initializer} {'trainable' if row.trainable else 'fixed'}" for row in rows(declaration)
    ]
    return "\n".join([*lines, f"total {total(declaration)} trainable {total(declaration, only_trainable=True)}"]) + "\n"


def shape_words(shape: tuple[int, ...]) -> str:
    """`(128, 256)` as 128x256, a single number as scalar."""
    return "x".join(str(size) for size in shape) or "scalar"


def initializer_words(initializer: Component | None) -> str:
    """`glorot_uniform`, or `uniform(scale=0.1)` where fields differ from their defaults."""
    if initializer is None:
        return "zeros"
    changed = [
        f"{name}={pages.value_words(getattr(initializer, name)).replace(' ', '')}"
        for name, field in fields_of(type(initializer)).items()
        if field.is_required or getattr(initializer, name) != field.default_value()
    ]
    return initializer.type + (f"({','.join(changed)})" if changed else "")


def multiply_adds(declaration: Declaration) -> int:
    """Multiply-adds with weight matrices per position; a shared weight counts for each use."""
    return sum(products(weight) for node in declaration.nodes() for weight in node.weights.values())


def products(weight: Weight) -> int:
    """Multiply-adds of one position with a weight: its size, 0 for vectors and tables that are looked up."""
    is_matrix = len(weight.shape) >= 2 and not (weight.axes and weight.axes[0] in LOOKED_UP)
    return weight.size if is_matrix else 0


def _part(node: Declaration, seen: set[str]) -> Part:
    new = {weight.path: weight.size for weight in node.all_weights() if weight.path not in seen}
    seen |= set(new)
    return Part(node.path, _type(node), sum(new.values()), multiply_adds(node), node.output)


def _nodes_at(node: Declaration, depth: int) -> list[Declaration]:
    below: list[Any] = [one for child in node.children.values() for one in (child if isinstance(child, list) else [child])]
    if depth == 0 or not below:
        return [node]
    return [found for one in below for found in _nodes_at(one, depth - 1)]


def _type(node: Declaration) -> str:
    return type(node.component).type or type(node.component).__name__
