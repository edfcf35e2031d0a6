"""Putting a recipe together from its bases: mappings merge, lists replace, a changed `type:` drops the old type's fields."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Iterator
from pathlib import Path as FilePath

from seqcfg.component.catalog import closest
from seqcfg.errors import Problem, RecipeError, UserError
from seqcfg.recipe import shipped
from seqcfg.recipe.node import Node, Place
from seqcfg.recipe.read import PROTO_SUFFIXES, read_file
from seqcfg.recipe.sections import OWN_KEYS
from seqcfg.recipe.version import check_version

MAX_FILES = 32
SUFFIXES = (".yaml", ".yml", ".json", *PROTO_SUFFIXES)


def compose(file: str) -> Node:
    """The recipe in `file` merged over its bases; raises RecipeError for a base that is missing or leads back."""
    return _compose(os.fspath(file), (), itertools.count(), "recipe")


def _compose(file: str, above: tuple[str, ...], ranks: Iterator[int], how: str) -> Node:
    own = read_file(file, how=how)
    if problems := check_version(own):
        raise RecipeError(problems)
    merged: Node | None = None
    for name in _base_names(own):
        base = _compose(_locate(name, file, (*above, file)), (*above, file), ranks, "base")
        for key in OWN_KEYS:
            base.value.pop(key, None)
        merged = base if merged is None else merge(merged, base)
    rank = next(ranks)
    if rank >= MAX_FILES:
        raise _error(own, "E0206", f"is composed of more than {MAX_FILES} files")
    for _, node in own.walk():
        node.rank = rank
    if merged is None:
        return own
    return dataclasses.replace(merge(merged, own), place=own.place)


def files_of(file: str) -> list[str]:
    """The recipe's file and those of all its bases, each once, without composing them; raises RecipeError like `compose`."""
    found: dict[str, Place] = {}
    _find_bases(os.fspath(file), (), found)
    return [file, *found]


def named_in(file: str) -> dict[str, Place]:
    """Base -> where the recipe in `file`, or one of its bases, names it first; as far as the files can be read."""
    found: dict[str, Place] = {}
    with contextlib.suppress(RecipeError):
        _find_bases(os.fspath(file), (), found)
    return found


def _find_bases(file: str, above: tuple[str, ...], found: dict[str, Place]) -> None:
    for name in _base_names(read_file(file)):
        base = _locate(name, file, (*above, file))
        if base not in found:
            found[base] = name.place
            _find_bases(base, (*above, file), found)


def merge(low: Node, high: Node) -> Node:
    """`high` laid over `low`."""
    if not (low.is_mapping and high.is_mapping):
        return dataclasses.replace(high, replaced=(*low.replaced, _without_history(low), *high.replaced))
    if _changes_type(low, high):
        type_ = merge(low.value["type"], high.value["type"])
        return dataclasses.replace(high, value=high.value | {"type": type_})
    value = dict(low.value)
    for key, node in high.value.items():
        value[key] = merge(value[key], node) if key in value else node
    return dataclasses.replace(high, value=value)


def _changes_type(low: Node, high: Node) -> bool:
    old, new = low.value.get("type"), high.value.get("type")
    return old is not None and new is not None and old.value != new.value


def _without_history(node: Node) -> Node:
    return dataclasses.replace(node, replaced=())


def _base_names(own: Node) -> list[Node]:
    base = own.value.get("base")
    if base is None or base.value is None:
        return []
    names = base.value if base.is_list else [base]
    for name in names:
        if not isinstance(name.value, str):
            raise _error(name, "E0201", "a base is the path of a recipe, or seqcfg:area/name")
    return names


def _locate(name: Node, file: str, above: tuple[str, ...]) -> str:
    """The file a base names; refuses what is missing, absolute, or one of the files `above` it, and a chain without end."""
    if len(above) >= MAX_FILES:
        raise _error(name, "E0206", f"is composed of more than {MAX_FILES} files")
    if name.value.startswith(shipped.PREFIX):
        try:
            found = shipped.find(name.value)
        except UserError as failure:
            raise _error(name, "E0204", failure.problems[0].message, failure.problems[0].hint) from None
    else:
        if FilePath(name.value).is_absolute() or ":" in name.value or "\\" in name.value:
            raise _error(
                name, "E0202", f"{name.value!r} is not a relative path", "bases are relative to this file, with /, or seqcfg:area/name"
            )
        found = FilePath(os.path.normpath(FilePath(file).parent / name.value))
        if not _is_file(found):
            raise _error(name, "E0203", f"there is no file {_short(found)}", _neighbour(found))
        if not _may_be_recipe(found, FilePath(file)):
            raise _error(
                name, "E0207", f"{name.value!r} cannot be a recipe", f"a base ends in {', '.join(SUFFIXES)}; its folder is not hidden"
            )
    if any(found.resolve() == FilePath(other).resolve() for other in above):
        chain = " -> ".join([*(FilePath(other).name for other in above), found.name])
        raise _error(name, "E0205", f"a recipe cannot be its own base: {chain}")
    return os.fspath(found)


def _is_file(path: FilePath) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that the system cannot have
        return False


def _neighbour(path: FilePath) -> str:
    """The most similar name in the folder where a base was looked for."""
    remedy = "bases are relative to this file; shipped ones are seqcfg:area/name"
    try:
        names = [file.name for file in path.parent.iterdir() if file.suffix in SUFFIXES]
    except (OSError, ValueError):
        return remedy
    return closest(path.name, names) or remedy


def _may_be_recipe(found: FilePath, file: FilePath) -> bool:
    """Whether a file is named like a recipe and lies in no hidden folder, links followed: a base shows nothing of ~/.netrc."""
    real = found.resolve()
    way = os.path.relpath(real, file.resolve().parent).split(os.sep)
    return (
        real.suffix in SUFFIXES and found.suffix in SUFFIXES and not any(part.startswith(".") and part not in (".", "..") for part in way)
    )


def _short(path: FilePath) -> str:
    name = os.fspath(path)
    return name if len(name) <= 120 else f"{name[:100]}... ({len(name)} characters)"


def _error(node: Node, code: str, message: str, hint: str = "") -> RecipeError:
    place = node.place
    problem = Problem(message=message, hint=hint, path="base", file=place.file, line=place.line, column=place.column, code=code)
    return RecipeError([problem])
