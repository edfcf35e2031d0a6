"""Signals and budgets that end a run in good order."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

from seqcfg.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_RESUBMIT


class Stopping:
    """Notes the first SIGTERM, SIGINT or SIGUSR1 so that the loop can finish its step and save; the second ends the process.

    Use as a context manager; the handlers that were there before come back at the end.
    """

    _SIGNALS = (signal.SIGTERM, signal.SIGINT, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else []))

    def __init__(self, max_minutes: float | None = None):
        self.signal: int | None = None
        self._deadline = None if max_minutes is None else process_start() + 60.0 * max_minutes
        self._before: dict[int, object] = {}

    def __enter__(self) -> Stopping:
        for number in self._SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    @property
    def is_due(self) -> bool:
        """Whether the loop should save and leave."""
        return self.signal is not None or (self._deadline is not None and time.monotonic() >= self._deadline)

    @property
    def exit_code(self) -> int:
        """130 after an interrupt from the keyboard, 75 (submit again) after another signal, else 0."""
        if self.signal is None:
            return EXIT_OK
        return EXIT_INTERRUPTED if self.signal == signal.SIGINT else EXIT_RESUBMIT

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            os._exit(EXIT_INTERRUPTED if number == signal.SIGINT else EXIT_RESUBMIT)
        self.signal = number


def process_start() -> float:
    """The start of this process on the monotonic clock."""
    try:
        with open("/proc/self/stat", encoding="ascii") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime", encoding="ascii") as file:
            uptime = float(file.read().split()[0])
        return time.monotonic() - (uptime - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):  # not Linux: count from now
        return time.monotonic()
