"""Running a model in a process of its own: what it gives, how long it takes, how much memory it holds."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seqcfg.errors import UserError
from seqcfg.lazy import np

CLIENTS = Path(__file__).parent / "clients"


class Probed(NamedTuple):
    """One text and score per line; load_seconds; seconds of single lines, one at a time; the process's peak_bytes, 0 if unknown.

    cpu_seconds: of all the process's threads, for the same lines; packages: the names of what the process had imported.
    """

    texts: list[str]
    scores: list[float]
    load_seconds: float
    seconds: list[float]
    peak_bytes: int
    packages: list[str]
    cpu_seconds: list[float] = []


def probe(
    client: str, model: Path, lines: Sequence[Any], timed: Sequence[Any], batch_size: int = 64, options: dict[str, Any] | None = None
) -> Probed:
    """Runs the client of this name (see `clients/`) on the model; lines are texts, or sounds float32 [samples].

    Raises UserError when it does not run.
    """
    with tempfile.TemporaryDirectory() as place:
        order, result = Path(place) / "order.json", Path(place) / "result.json"
        named = {"client": str(CLIENTS / f"{client}.py"), "model": str(model.resolve()), "options": options or {}}
        given = {"lines": _given(lines, Path(place) / "lines.npz"), "timed": _given(timed, Path(place) / "timed.npz")}
        order.write_text(json.dumps({**named, **given, "batch_size": batch_size}), encoding="utf-8")
        command = [sys.executable, str(CLIENTS / "measure.py"), str(order), str(result)]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, encoding="utf-8", errors="replace")
        if done.returncode or not result.exists():
            last = done.stderr.strip().rsplit("\n", 1)[-1] or f"it ended with code {done.returncode}"
            raise UserError(f"the exported model does not run by itself: {last}", hint="'seqcfg doctor' tells what is missing here")
        return Probed(**json.loads(result.read_text(encoding="utf-8")))


def _given(lines: Sequence[Any], file: Path) -> Any:
    """Texts as they are; sounds are written into a file, whose name stands for them."""
    if not len(lines) or isinstance(lines[0], str):
        return list(lines)
    np.savez(file, *lines)
    return str(file)
