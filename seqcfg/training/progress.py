"""What a person sees of a run: a progress bar and the last validations on terminals, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from seqcfg.lazy import tf
from seqcfg.runs.machine import resident_bytes

SHOWN_VALIDATIONS = 5


class TrainingProgress:
    """Use as a context manager around the loop."""

    def __init__(self, total: int, done: int, line_seconds: float = 10.0, console: Console | None = None):
        self._console = console or Console(stderr=True)
        self._is_live = self._console.is_terminal
        self._total, self._first, self._line_seconds = total, done, line_seconds
        self._started = self._last_line = time.monotonic()
        self._bar = Progress(
            TextColumn("[bold]train"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("eta"),
            TimeRemainingColumn(),
        )  # fmt: skip
        self._task = self._bar.add_task("train", total=total, completed=done)
        self._status = "first step is being compiled"
        self._validations: list[tuple[int, dict[str, float]]] = []
        self._live = Live(console=self._console, get_renderable=self._picture, refresh_per_second=4)

    def __enter__(self) -> TrainingProgress:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_live:
            self._live.stop()

    def update(self, step: int, measured: dict[str, float]) -> None:
        """Shows the newest measurements; plain lines appear every few seconds."""
        self._status = (
            f"loss {measured['loss']:.3f}  lr {measured['rate']:.2e}  {measured['tokens_per_second']:,.0f} tok/s"
            f"  pad {100 * measured['padding']:.0f}%"
            + (f"  zeros {100 * measured['sparsity']:.0f}%" if "sparsity" in measured else "")
            + f"  {memory()}"
        )
        self._bar.update(self._task, completed=step)
        if not self._is_live and time.monotonic() - self._last_line >= self._line_seconds:
            self._last_line = time.monotonic()
            self.say(f"step {step}/{self._total}  {self._status}  eta {self._eta(step)}")

    def validated(self, step: int, metrics: dict[str, float]) -> None:
        """Adds a row to the table of validations, or a line where there is none."""
        self._validations.append((step, metrics))
        if not self._is_live:
            self.say(f"step {step}  validation  " + "  ".join(f"{name} {value:.4g}" for name, value in metrics.items()))

    def say(self, text: Any) -> None:
        """A line above the bar."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _picture(self) -> Group:
        parts: list[Any] = [self._bar, self._status]
        if shown := self._validations[-SHOWN_VALIDATIONS:]:
            names = list(shown[-1][1])
            table = Table("validation at step", *names, box=None, pad_edge=False)
            for step, metrics in shown:
                table.add_row(str(step), *(f"{metrics[name]:.4g}" if name in metrics else "" for name in names))
            parts.append(table)
        return Group(*parts)

    def _eta(self, step: int) -> str:
        seconds = (time.monotonic() - self._started) / max(1, step - self._first) * (self._total - step)
        return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"


def memory() -> str:
    """Memory in use: of this process, and of each GPU that TensorFlow uses."""
    shown = [f"mem {resident_bytes() / 2**30:.1f} GiB"]
    for number in range(len(tf.config.list_logical_devices("GPU"))):
        used = tf.config.experimental.get_memory_info(f"GPU:{number}")["current"]
        shown.append(f"gpu{number} {used / 2**30:.1f} GiB")
    return "  ".join(shown)
