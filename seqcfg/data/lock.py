"""A lock between processes that ends with its process, however that ends."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def exclusive(file: Path, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Holds the lock file for the block; calls `on_wait` once, then waits, while another process holds it."""
    with open(file, "a+b") as handle:
        lock, unlock = _operations(handle.fileno())
        try:
            lock(False)
        except OSError:
            if on_wait:
                on_wait()
            lock(True)
        try:
            yield
        finally:
            unlock()


def _operations(descriptor: int) -> tuple[Callable[[bool], None], Callable[[], None]]:
    if os.name == "nt":
        windows = importlib.import_module("msvcrt")
        return (
            lambda waits: windows.locking(descriptor, windows.LK_LOCK if waits else windows.LK_NBLCK, 1),
            lambda: windows.locking(descriptor, windows.LK_UNLCK, 1),
        )
    posix = importlib.import_module("fcntl")
    return (
        lambda waits: posix.flock(descriptor, posix.LOCK_EX | (0 if waits else posix.LOCK_NB)),
        lambda: posix.flock(descriptor, posix.LOCK_UN),
    )
