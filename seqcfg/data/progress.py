"""A progress bar for preparing data."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

Progress = Callable[[str, int, int], None]  # what is being done, how much of it is done, and of how much (0 = not known)


def silent(what: str, done: int, total: int) -> None:
    """Shows nothing."""


@contextlib.contextmanager
def prepare_bar(unit: str = "examples") -> Iterator[Progress]:
    """A bar per thing that is done, on standard error; in files and pipes only the names of the things."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn(f"{{task.completed:,.0f}} {unit}"), TimeElapsedColumn())
    console = Console(stderr=True)
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                for task in tasks.values():
                    bar.update(task, total=bar.tasks[task].completed)
                    bar.stop_task(task)
                tasks[what] = bar.add_task(what, total=None)
                if not console.is_terminal:
                    console.print(what)
            bar.update(tasks[what], completed=done, total=total or None)

        yield show
        for task in tasks.values():
            bar.update(task, total=bar.tasks[task].completed)
