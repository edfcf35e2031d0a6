"""Removing files and folders so that a death in between leaves nothing that looks whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from seqcfg.runs.durable import PARTIAL


def remove(path: Path) -> None:
    """Removes a file or a folder with all in it, a link without what it leads to; raises OSError."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    doomed = path if path.name.endswith(PARTIAL) else path.with_name(path.name + PARTIAL)
    if doomed != path:
        os.replace(path, doomed)  # first out of sight
    shutil.rmtree(doomed)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; links count as nothing."""
    if path.is_symlink():
        return 0
    if not path.is_dir():
        return path.stat().st_size
    return sum((Path(root) / name).lstat().st_size for root, _, names in os.walk(path) for name in names)
