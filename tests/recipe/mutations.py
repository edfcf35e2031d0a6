"""Changing a recipe as a careless, or a malicious, author would: by its structure, reproducibly from a seed."""

from __future__ import annotations

import copy
import dataclasses
import random
from typing import Any

from seqcfg.component.catalog import load
from seqcfg.component.fields import fields_of
from seqcfg.recipe.node import Node, Place

PLACE = Place("r.yaml", 1, 1)
ODD: list[Any] = [
    None, True, False, -1, 0, 1, 2, 3, 7, 10**18, 0.5, -0.0, 1e-9, 1e300, 2.0, "", "x", "dense", "auto", "no", "1", "${vars.x}",
    "${vars.width}", [], {}, [[]], [{}], {"type": "dense"}, {"type": "byte"}, {"x": 1}, [1, 2], ["x"], {"": 1},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()):
    """The path of a plain value and of everything below it."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def tree_of(plain: Any) -> Node:
    """A plain value as nodes that all stand in one place."""
    if isinstance(plain, dict):
        plain = {key: dataclasses.replace(tree_of(item), key_place=PLACE) for key, item in plain.items()}
    elif isinstance(plain, list):
        plain = [tree_of(item) for item in plain]
    return Node(plain, PLACE)


def mutate(plain: dict[str, Any], draw: random.Random, times: int = 3) -> dict[str, Any]:
    """A copy with one to `times` changes."""
    plain = copy.deepcopy(plain)
    for _ in range(draw.randint(1, times)):
        below = [path for path in places(plain) if path]
        if not below:
            break
        path = draw.choice(below)
        CHANGES[draw.randrange(len(CHANGES))](plain, at(plain, path[:-1]), path[-1], draw)
    return plain


def _replace(plain: Any, owner: Any, key: Any, draw: random.Random) -> None:
    owner[key] = copy.deepcopy(draw.choice(ODD))


def _copy(plain: Any, owner: Any, key: Any, draw: random.Random) -> None:
    owner[key] = copy.deepcopy(at(plain, draw.choice(list(places(plain)))))


def _remove(plain: Any, owner: Any, key: Any, draw: random.Random) -> None:
    del owner[key]


def _misspell(plain: Any, owner: Any, key: Any, draw: random.Random) -> None:
    """One letter of a key or of a text is lost, doubled or exchanged."""
    target = key if isinstance(owner, dict) else owner[key]
    if not isinstance(target, str) or not target:
        return
    index = draw.randrange(len(target))
    new = target[:index] + draw.choice(["", target[index] * 2, draw.choice("aeinorst_")]) + target[index + 1 :]
    if isinstance(owner, dict):
        owner[new] = owner.pop(key)
    else:
        owner[key] = new


def _add(plain: Any, owner: Any, key: Any, draw: random.Random) -> None:
    """A field of some component, with a value that may fit."""
    if isinstance(owner, dict):
        cls = _some_class(draw)
        for name, field in fields_of(cls).items():
            if draw.random() < 0.3:
                owner[name] = copy.deepcopy(draw.choice(ODD)) if field.is_required or draw.random() < 0.5 else 1


def _exchange_type(plain: Any, owner: Any, key: Any, draw: random.Random) -> None:
    """Another type, of the same kind or not."""
    if isinstance(owner, dict) and "type" in owner:
        owner["type"] = _some_class(draw).type


def _wrap(plain: Any, owner: Any, key: Any, draw: random.Random) -> None:
    owner[key] = [owner[key]] if draw.random() < 0.5 else {draw.choice(["layer", "x"]): owner[key]}


def _scale(plain: Any, owner: Any, key: Any, draw: random.Random) -> None:
    if isinstance(owner[key], int | float) and not isinstance(owner[key], bool):
        owner[key] = draw.choice([owner[key] * 2, -owner[key], owner[key] + 1, float(owner[key])])


def _some_class(draw: random.Random) -> Any:
    classes = [cls for _, family in sorted(load().items()) for _, cls in sorted(family.items())]
    return draw.choice(classes)


CHANGES = [_replace, _copy, _remove, _misspell, _add, _exchange_type, _wrap, _scale]
