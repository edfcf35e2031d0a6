"""Recipes that are not files of today: those of a git revision, and those written for an earlier version of the language.

Both are written, with the bases they name, into a folder of their own, as files that can be loaded; `shown` tells what
each of these files stands for.
"""

from __future__ import annotations

import dataclasses
import os
import posixpath
import subprocess
from collections.abc import Callable
from pathlib import Path

from seqcfg.errors import UserError
from seqcfg.recipe import shipped
from seqcfg.recipe.migrate import migrate
from seqcfg.recipe.read import read_text
from seqcfg.recipe.version import KEY

MAX_FILES = 32


@dataclasses.dataclass
class Staged:
    """file: what to load; shown {file written: name to show}; notes: what was done to read it."""

    file: Path
    shown: dict[str, str]
    notes: list[str]


def from_git(revision: str, path: str, folder: Path) -> Staged:
    """The recipe `path` of a revision of the git checkout one stands in; raises UserError."""
    if not _git("rev-parse", "--show-toplevel"):
        raise UserError(f"{revision}:{path}: {Path.cwd()} is not in a git checkout", hint="name files or runs, or go into the checkout")
    prefix = _git("rev-parse", "--show-prefix").decode().strip()
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    if not commit:
        raise UserError(f"git knows no revision {revision!r}", hint="write REVISION:PATH, such as main:recipes/mt/my.yaml")

    def read(name: str) -> str:
        return _git("cat-file", "blob", f"{commit}:{name}", hint=f"'git ls-tree -r {revision}' lists what is there").decode("utf-8")

    candidates = [posixpath.normpath(posixpath.join(prefix, path)), posixpath.normpath(path)]  # from here, else from the root
    name = next((one for one in candidates if not one.startswith("..") and _is_blob(f"{commit}:{one}")), None)
    if name is None:
        raise UserError(f"{revision}:{path}: there is no such file", hint=f"'git ls-tree -r {revision}' lists what is there")
    return _stage(name, read, folder, lambda file: f"{revision}:{file}")


def from_disk(file: str, folder: Path) -> Staged:
    """A recipe file whose text, or a base of it, is of an earlier version of the language."""
    root = Path(os.path.abspath(file)).anchor
    name = Path(os.path.abspath(file)).relative_to(root).as_posix()
    here = Path.cwd()

    def shown(inner: str) -> str:
        path = Path(root, inner)
        return file if inner == name else str(path.relative_to(here) if path.is_relative_to(here) else path)

    return _stage(name, lambda inner: Path(root, inner).read_text(encoding="utf-8"), folder, shown)


def _stage(name: str, read: Callable[[str], str], folder: Path, show: Callable[[str], str]) -> Staged:
    staged = Staged(folder / name, {}, [])
    waiting = [name]
    while waiting:
        inner = waiting.pop()
        file = folder / inner
        if str(file) in staged.shown:
            continue
        if len(staged.shown) >= MAX_FILES:
            raise UserError(f"{show(name)}: is composed of more than {MAX_FILES} files")
        text, steps = _current(read(inner), show(inner))
        staged.notes += [f"{show(inner)} was read as migrated from version {step}" for step in steps]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        staged.shown[str(file)] = show(inner)
        waiting += _bases(text, inner, show)
    return staged


def _current(text: str, shown: str) -> tuple[str, list[str]]:
    """The text in the current version of the language; a base that names no version is left as it is."""
    tree = read_text(text, shown)
    return migrate(text, shown) if tree.is_mapping and KEY in tree.value else (text, [])


def _bases(text: str, name: str, show: Callable[[str], str]) -> list[str]:
    node = read_text(text, show(name)).child("base")
    named = node.plain() if node is not None else None
    found = []
    for base in named if isinstance(named, list) else [named] if named else []:
        if isinstance(base, str) and not base.startswith(shipped.PREFIX):
            inner = posixpath.normpath(posixpath.join(posixpath.dirname(name), base))
            if inner.startswith(("..", "/")):
                raise UserError(f"{show(name)}: the base {base!r} lies outside the checkout")
            found.append(inner)
    return found


def _is_blob(name: str) -> bool:
    return _git("cat-file", "-t", name).strip() == b"blob"


def _git(*arguments: str, hint: str = "") -> bytes:
    """What git prints; empty where it fails, unless there is a hint for that."""
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, env=environment)
    except FileNotFoundError:
        raise UserError("git is not installed", hint="install it, or name files and runs") from None
    if done.returncode and hint:
        raise UserError(f"git cannot show {arguments[-1]}: {done.stderr.decode(errors='replace').strip()}", hint=hint)
    return b"" if done.returncode else done.stdout
