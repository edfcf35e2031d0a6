"""What a person sees of a run: a progress bar on terminals, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class TrainingProgress:
    """Use as a context manager around the loop."""

    def __init__(self, total: int, done: int, line_seconds: float = 10.0):
        self._console = Console(stderr=True)
        self._is_live = self._console.is_terminal
        self._total, self._first, self._line_seconds = total, done, line_seconds
        self._started = self._last_line = time.monotonic()
        self._bar = Progress(
            TextColumn("[bold]train"), BarColumn(bar_width=None), MofNCompleteColumn(), TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(), TextColumn("eta"), TimeRemainingColumn(), console=self._console, disable=not self._is_live,
        )  # fmt: skip
        self._task = self._bar.add_task("train", total=total, completed=done, status="first step is being compiled")

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, step: int, measured: dict[str, float]) -> None:
        """Shows the newest measurements; plain lines appear every few seconds."""
        status = (
            f"loss {measured['loss']:.3f}  lr {measured['rate']:.2e}  {measured['tokens_per_second']:,.0f} tok/s"
            f"  pad {100 * measured['padding']:.0f}%"
        )
        self._bar.update(self._task, completed=step, status=status)
        if not self._is_live and time.monotonic() - self._last_line >= self._line_seconds:
            self._last_line = time.monotonic()
            self.say(f"step {step}/{self._total}  {status}  eta {self._eta(step)}")

    def say(self, text: Any) -> None:
        """A line above the bar."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _eta(self, step: int) -> str:
        seconds = (time.monotonic() - self._started) / max(1, step - self._first) * (self._total - step)
        return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"
