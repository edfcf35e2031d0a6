"""An end to waiting for processes that live and do not come; TensorFlow would wait for ever."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from seqcfg.distribution.lost import AGAIN
from seqcfg.errors import EXIT_RESUBMIT

SIGEV_THREAD = 2  # <signal.h> of Linux: a function is called in a thread of its own
SAID_SECONDS = 0.1  # between the words and the end


@contextlib.contextmanager
def patience(seconds: float, what: str = "updates are not finished", field: str = "patience_seconds") -> Iterator[None]:
    """Ends the process with 75 where what is within takes longer, and says so: `what` happens then, `field` holds the seconds.

    At once, as a kill would: an operation that waits cannot be called off (TensorFlow's own time limit for collective
    operations ends in a segmentation fault now and then). Checkpoints on the disk are whole at any moment. On Linux the
    clock is the system's: TensorFlow waits for the others' start, up to an hour, without letting Python run.
    """
    words = f"another process of this run does not come: {what} after {seconds:g} s"
    hint = f"hint: {AGAIN}; or raise training.strategy.{field}"
    library = _with_timers()
    if library is None:
        timer = threading.Timer(seconds, _give_up, (f"{words}\n    {hint}\n",))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
    else:
        text = ctypes.create_string_buffer(f"{words}\n    {hint}".replace("%", "%%").encode())
        with (
            _calling_after(seconds, library, library.warnx, ctypes.addressof(text)),
            _calling_after(seconds + SAID_SECONDS, library, library._exit, EXIT_RESUBMIT),
        ):
            yield


def _give_up(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
    os._exit(EXIT_RESUBMIT)


class _Event(ctypes.Structure):
    """struct sigevent: `function`(`value`) is called."""

    _fields_ = (
        ("value", ctypes.c_void_p), ("signal", ctypes.c_int), ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p), ("attributes", ctypes.c_void_p), ("rest", ctypes.c_byte * 32),
    )  # fmt: skip


class _Times(ctypes.Structure):
    """struct itimerspec: once, after seconds and nanoseconds."""

    _fields_ = tuple((name, ctypes.c_long) for name in ("again_seconds", "again_nanoseconds", "seconds", "nanoseconds"))


def _with_timers() -> Any:
    """The C library, None where it has no timers."""
    if sys.platform != "linux":
        return None
    for name in (None, "librt.so.1"):  # where they were before glibc 2.34
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(name, use_errno=True)
            library.timer_create, library.timer_settime, library.timer_delete, library.warnx, library._exit  # noqa: B018 - are there
            return library
    return None


@contextlib.contextmanager
def _calling_after(seconds: float, library: Any, function: Any, value: int) -> Iterator[None]:
    """Calls a function of C with one argument where what is within takes longer, whatever Python does."""
    event = _Event(value=value, notify=SIGEV_THREAD, function=ctypes.cast(function, ctypes.c_void_p))
    timer = ctypes.c_void_p()
    if library.timer_create(time.CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)):
        raise OSError(ctypes.get_errno(), "no timer")
    whole = int(seconds)
    library.timer_settime(timer, 0, ctypes.byref(_Times(0, 0, whole, max(1, int((seconds - whole) * 1e9)))), None)
    try:
        yield
    finally:
        library.timer_delete(timer)
