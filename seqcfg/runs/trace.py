"""What each step of a run gave, exact to the bit: the evidence that a repetition is held against.

`steps.trace` holds 8 bytes for each finished update: its summed loss and its gradient norm as little-endian float32.
Update n stands at byte 8 (n - 1), so that a resumed run cuts the file at its checkpoint and goes on. `weights.trace` has
one JSON object per line: CRC-32 of every weight after a step. Steps are taken ever more rarely (1, then each that has
at least doubled) and at checkpoints.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from seqcfg.errors import UserError
from seqcfg.lazy import np
from seqcfg.runs.durable import write_file

STEPS, WEIGHTS = "steps.trace", "weights.trace"
MEASURED = ("loss", "norm of the gradients")
ROW = 8  # bytes of a step
FIRST_STEPS = 100  # whose bits a lock holds


class Trace:
    """Appends to both files; used by the one process that holds the run's lock. A full disk must not end training."""

    def __init__(self, folder: Path, step: int):
        """Cuts what lies after `step` finished updates, or begins anew where earlier steps are missing."""
        self._steps, self._weights = folder / STEPS, folder / WEIGHTS
        self._last, self._added = -1, step
        with contextlib.suppress(OSError):
            self._cut(step)

    def add(self, rows: Any) -> None:
        """Appends float32 [updates, 2]: loss and norm of consecutive updates; what a full disk took before becomes unknown."""
        content = np.asarray(rows, "<f4").tobytes()
        start = self._added * ROW
        self._added += len(content) // ROW
        with contextlib.suppress(OSError), open(self._steps, "r+b" if self._steps.exists() else "x+b", buffering=0) as file:
            there = min(file.seek(0, os.SEEK_END) // ROW * ROW, start)
            file.truncate(there)
            file.seek(there)
            file.write(b"\xff" * (start - there) + content)

    def is_wanted(self, step: int) -> bool:
        """Whether the weights should be noted after this step although no checkpoint is written."""
        return step >= 2 * self._last if self._last > 0 else step > self._last

    def note(self, step: int, weights: Mapping[str, Any]) -> None:
        """Appends the checksums of {path: array or variable}; nothing when this step was noted before."""
        if step == self._last:
            return
        self._last = step
        line = json.dumps({"step": step, "weights": checksums(weights)})
        with contextlib.suppress(OSError), open(self._weights, "ab", buffering=0) as file:
            end, content = file.seek(0, os.SEEK_END), line.encode() + b"\n"
            if file.write(content) < len(content):  # a full disk: half a line would swallow the next
                file.truncate(end)

    def _cut(self, step: int) -> None:
        whole = self._steps.exists() and self._steps.stat().st_size >= step * ROW
        kept = {at: found for at, found in read_weights(self._weights.parent).items() if at <= step}
        self._last = max(kept, default=-1)
        write_file(self._weights, "".join(json.dumps({"step": at, "weights": found}) + "\n" for at, found in kept.items()))
        if whole:
            os.truncate(self._steps, step * ROW)
        else:  # steps from before there were traces, or lost to a power cut: NaN says that nothing is known of them
            known = self._steps.read_bytes() if self._steps.exists() else b""
            known = known[: len(known) // ROW * ROW]
            write_file(self._steps, known + np.full([step * ROW - len(known)], 0xFF, np.uint8).tobytes())


def checksums(weights: Mapping[str, Any]) -> dict[str, str]:
    """{path: CRC-32 of the values' bytes, in hexadecimal}."""
    arrays = {path: np.ascontiguousarray(value.numpy() if hasattr(value, "numpy") else value) for path, value in weights.items()}
    return {path: f"{zlib.crc32(array.reshape(-1).view(np.uint8)):08x}" for path, array in arrays.items()}


def read_steps(folder: Path) -> Any:
    """uint32 [updates, 2]: the bits of loss and norm of each finished update; empty where there is no trace."""
    try:
        content = (Path(folder) / STEPS).read_bytes()
    except FileNotFoundError:
        content = b""
    return np.frombuffer(content[: len(content) // ROW * ROW], "<u4").reshape(-1, 2)


def read_weights(folder: Path) -> dict[int, dict[str, str]]:
    """{step: {path: checksum}} in order of steps; a torn or foreign line is left out."""
    found = {}
    for line in _lines(Path(folder) / WEIGHTS):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            found[int(entry["step"])] = dict(entry["weights"])
    return found


def extract(folder: Path) -> dict[str, Any]:
    """A part of the evidence small enough for a lock: the first steps' bits in hexadecimal, and the newest checksums of weights."""
    rows, weights = read_steps(folder), read_weights(folder)
    last = max(weights, default=None)
    kept = {step: weights[step] for step in dict.fromkeys((min(weights, default=last), last)) if step is not None}
    first = ["".join(f"{int(bits):08x}" for bits in row) for row in rows[:FIRST_STEPS]]
    return {"num_steps": len(rows), "first_steps": first, "weights": {str(step): found for step, found in kept.items()}}


def restore(folder: Path, extracted: dict[str, Any]) -> None:
    """Writes what `extract` gave as trace files into a folder; nothing is known of the steps between. Raises UserError."""
    try:
        rows = np.full([int(extracted["num_steps"]), 2], 0xFFFFFFFF, "<u4")
        for index, text in enumerate(extracted["first_steps"]):
            rows[index] = int(text[:8], 16), int(text[8:], 16)
        lines = [json.dumps({"step": int(step), "weights": dict(found)}) + "\n" for step, found in extracted["weights"].items()]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UserError(f"the evidence in the lock is damaged: {error}", hint="restore the lock from a copy") from error
    write_file(folder / STEPS, rows.tobytes())
    write_file(folder / WEIGHTS, "".join(lines))


def unknown(rows: Any) -> Any:
    """bool [updates]: whether nothing is known of an update because it was made before there were traces."""
    return (rows == 0xFFFFFFFF).all(axis=1)


def _lines(path: Path) -> Iterable[bytes]:
    try:
        return path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
