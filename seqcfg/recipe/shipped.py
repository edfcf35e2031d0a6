"""The recipes that come with seqcfg: `recipes/` beside the package in a checkout, else the copy inside the package."""

from __future__ import annotations

import functools
from pathlib import Path

import seqcfg
from seqcfg.component.catalog import closest
from seqcfg.errors import UserError

PREFIX = "seqcfg:"


@functools.cache
def folder() -> Path:
    """Where shipped recipes lie."""
    package = Path(seqcfg.__file__).resolve().parent
    for place in (package.parent / "recipes", package / "_shipped"):
        if place.is_dir():
            return place
    raise UserError(f"no shipped recipes beside {package}", hint="reinstall seqcfg")


def names() -> list[str]:
    """`area/name` of every shipped recipe."""
    return sorted(file.relative_to(folder()).with_suffix("").as_posix() for file in folder().rglob("*.yaml"))


def find(name: str) -> Path:
    """The file of a shipped recipe called `area/name`; raises UserError with the closest name."""
    name = name.removeprefix(PREFIX).removesuffix(".yaml")
    if name not in names():
        raise UserError(f"there is no shipped recipe called {name!r}", hint=closest(name, names()) or "'seqcfg new --list' names them all")
    return folder() / f"{name}.yaml"
