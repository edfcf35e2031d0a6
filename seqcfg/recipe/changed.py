"""Which recipes a change touches: those in changed files, and those that stand on a changed base."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from seqcfg.errors import RecipeError, UserError
from seqcfg.recipe.compose import files_of


def changed_recipes(files: Iterable[str], revision: str) -> list[str]:
    """The recipes among `files` that are new or differ from where this branch left `revision`, or whose bases do.

    A recipe that cannot be composed is among them: a base may have been removed. Raises UserError outside a git
    checkout and for an unknown revision.
    """
    changed: dict[Path, set[Path]] = {}  # of each checkout
    found = []
    for file in files:
        folder = _checkout(Path(file).resolve().parent)
        if folder not in changed:
            changed[folder] = changed_files(folder, revision)
        try:
            parts = {Path(part).resolve() for part in files_of(file)}
        except RecipeError:
            found.append(file)
            continue
        if parts & changed[folder]:
            found.append(file)
    return found


def changed_files(folder: Path, revision: str) -> set[Path]:
    """Files of a checkout that differ from the point where HEAD left `revision`, or that git does not know yet."""
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if not commit:
        raise UserError(f"git knows no revision {revision!r}", hint="fetch it first: in CI, with the whole history (fetch-depth: 0)")
    start = _git(folder, "merge-base", commit[0], "HEAD") or commit
    names = _git(folder, "diff", "--name-only", "-z", start[0], "--") + _git(folder, "ls-files", "-z", "--others", "--exclude-standard")
    return {(folder / name).resolve() for name in names}


def _checkout(folder: Path) -> Path:
    lines = _git(folder, "rev-parse", "--show-toplevel") if folder.is_dir() else []
    if not lines:
        raise UserError(f"{folder} is not in a git checkout", hint="leave --changed-since out, or name recipes of a checkout")
    return Path(lines[0]).resolve()


def _git(folder: Path, *arguments: str) -> list[str]:
    """What git prints, cut at NUL or line ends; empty where it fails."""
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, errors="surrogateescape", env=environment)
    except FileNotFoundError:
        raise UserError("git is not installed", hint="install it, or leave --changed-since out") from None
    if done.returncode:
        return []
    return [part for part in done.stdout.split("\0" if "-z" in arguments else "\n") if part]
