"""Writing so that a power cut leaves the old file or the new one, and never half of either."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

PARTIAL = ".partial"  # suffix of files and folders that are not finished; whoever finds one may delete it


def write_file(path: Path, content: bytes | str) -> None:
    """Replaces a file as a whole: written beside it, synced, renamed, the folder synced. Raises OSError; the old file stays."""
    partial = path.with_name(path.name + PARTIAL)
    try:
        with open(partial, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Waits until the file's bytes are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Waits until the folder's list of names is on the disk, so that a rename survives. Windows has no such call."""
    if os.name != "nt":
        sync_file(folder)
