"""How far the paths of a recipe reach: runs and files below the working directory, or below the folder that $SEQCFG_RUNS names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VARIABLE = "SEQCFG_RUNS"
SCHEME = re.compile(r"^(?!average:[0-9]+$)[A-Za-z][A-Za-z0-9+.-]*:")  # average:10 is no path, but where checkpoints are named
MAX_PATH = 4096
HINT = f"name a folder or file below the working directory, or below ${VARIABLE}; one that is given by --set may lie anywhere"


def leading_out(component: Any, *fields: str) -> Iterator[tuple[str, str, str]]:
    """(field, message, hint) for each value of these fields, a path or a list of paths, that leads elsewhere; links are followed."""
    for field in fields:
        value = getattr(component, field)
        for number, path in enumerate(value if isinstance(value, list) else [value]):
            if path and (problem := why_not(path)):
                yield f"{field}.{number}" if isinstance(value, list) else field, problem, HINT


def why_not(path: str) -> str:
    """Why a recipe may not name this path; "" where it may."""
    shown = repr(path if len(path) < 80 else path[:80] + "...")
    if len(path) > MAX_PATH or not path.isprintable() or "\\" in path or path.startswith("~") or SCHEME.match(path):
        return f"{shown} is no path that a recipe may name"
    roots = [Path(), *([Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else [])]
    try:
        real = Path(path).resolve()
    except (OSError, RuntimeError):  # links in a circle, or too long a name
        return f"{shown} leads nowhere"
    below = [real.relative_to(root.resolve()) for root in roots if real.is_relative_to(root.resolve())]
    if not below:
        return f"{shown} leads out of the folders that a recipe may name"
    if any(part.startswith(".") for part in below[0].parts):
        return f"{shown} lies in a hidden folder"
    return ""
