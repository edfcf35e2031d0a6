"""Signals and budgets that end a run in good order, and in bounded time."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType

from seqcfg.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_RESUBMIT


class Stopping:
    """Notes the first SIGTERM, SIGINT or SIGUSR1 so that the loop can finish its step and save; the second ends the process.

    While nothing is worth saving (`has_state` is False), the first one leaves at once, too, by SystemExit. After the
    first, the process ends `grace_seconds` later whatever it does. Signals are seen by a thread of their own, so that
    long calls into TensorFlow delay none of this. Use as a context manager in the main thread; the handlers that
    were there before come back at the end. `when_noted` functions are called by that thread, once.
    """

    _SIGNALS = (signal.SIGTERM, signal.SIGINT, *([signal.SIGUSR1] if hasattr(signal, "SIGUSR1") else []))

    def __init__(self, max_minutes: float | None = None, grace_seconds: float = 25.0):
        self.signal: int | None = None
        self.max_minutes, self.grace_seconds = max_minutes, grace_seconds
        self.has_state = True
        self._started = process_start()
        self.when_noted: list[Callable[[], object]] = []
        self._handled = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> Stopping:
        for number in self._SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        self._read, self._write = socket.socketpair()
        self._write.setblocking(False)
        self._fd_before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(self._read,), name="signals", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._fd_before)
        self._write.close()  # ends the thread
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    @property
    def is_due(self) -> bool:
        """Whether the loop should save and leave."""
        return self.signal is not None or self.is_late

    @property
    def is_late(self) -> bool:
        """Whether the budget of time is spent; it counts from the start of the process."""
        return self.max_minutes is not None and time.monotonic() >= self._started + 60.0 * self.max_minutes

    @property
    def exit_code(self) -> int:
        """130 after an interrupt from the keyboard, 75 (submit again) after another signal, else 0."""
        return EXIT_OK if self.signal is None else _code(self.signal)

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Runs in the main thread, as soon as that is in Python."""
        self._handled += 1
        if self._handled > 1:
            os._exit(_code(number))
        self.signal = self.signal or number
        if not self.has_state:
            raise SystemExit(_code(number))

    def _watch(self, source: socket.socket) -> None:
        """Runs in the thread: one byte arrives per signal, whatever the main thread does."""
        deadline: float | None = None
        with source:
            while True:
                wait = None if deadline is None else max(0.0, deadline - time.monotonic())
                if not select.select([source], [], [], wait)[0]:
                    os.write(2, b"the time to stop in good order is over: the newest checkpoint holds\n")
                    os._exit(_code(self.signal or signal.SIGTERM))
                received = source.recv(1)
                if not received:
                    return
                if received[0] not in self._SIGNALS:
                    continue
                if deadline is not None:
                    os._exit(_code(received[0]))
                self.signal = self.signal or received[0]
                deadline = time.monotonic() + self.grace_seconds
                for call in self.when_noted:
                    call()


def _code(number: int) -> int:
    return EXIT_INTERRUPTED if number == signal.SIGINT else EXIT_RESUBMIT


def process_start() -> float:
    """The start of this process on the monotonic clock."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/stat", encoding="ascii") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/uptime", encoding="ascii") as file_of_uptime:
            uptime = float(file_of_uptime.read().split()[0])
        return time.monotonic() - (uptime - ticks / os.sysconf("SC_CLK_TCK"))
    return _IMPORTED  # not Linux: count from when this file was read


_IMPORTED = time.monotonic()
