"""records.jsonl: the history of a run, one JSON object per line."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqcfg.errors import UserError
from seqcfg.runs.durable import write_file

MAX_WAITING = 10_000
KINDS = ("train", "validation", "event")
_SPELT = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # JSON has no such numbers: they stand as strings


class Records:
    """Appends records; used by the one process that holds the run's lock. Opening mends a torn last line.

    A full disk ends no run: records that find no room wait in memory, the newest MAX_WAITING of them, for the next call.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._waiting: list[bytes] = []
        _drop_torn_line(self.path)
        self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115 - lives as long as the run

    def append(self, step: int, kind: str, **values: Any) -> None:
        """Adds one record: what was seen after `step` finished updates. One write call, so that readers see whole lines."""
        if kind not in KINDS:
            raise ValueError(f"kind {kind!r} is none of {', '.join(KINDS)}")
        record = {"step": int(step), "kind": kind, **{name: _plain(value) for name, value in values.items()}}
        self._waiting.append(json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        self._write_waiting()

    def sync(self) -> None:
        """Waits until all records are on the disk; called before a checkpoint that follows them."""
        self._write_waiting()
        with contextlib.suppress(OSError):
            os.fsync(self._file.fileno())

    def _write_waiting(self) -> None:
        """Writes what waits, or nothing of it: what a full disk took of a line is cut off again."""
        content, end = b"".join(self._waiting), self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(content) == len(content):
                self._waiting.clear()
                return
        except OSError:
            del self._waiting[:-MAX_WAITING]
        with contextlib.suppress(OSError):
            self._file.truncate(end)

    def truncate_after(self, step: int) -> int:
        """Drops records of later steps, which a resumed run will write again. Returns how many were dropped."""
        return self._keep(lambda record: record["step"] <= step)

    def drop(self, step: int, kind: str) -> int:
        """Drops the records of one kind and step. Returns how many there were."""
        return self._keep(lambda record: (record["step"], record["kind"]) != (step, kind))

    def _keep(self, is_kept: Callable[[dict[str, Any]], bool]) -> int:
        records = read(self.path)
        kept = [record for record in records if is_kept(record)]
        if len(kept) < len(records):
            self._file.close()
            lines = (json.dumps(_plain(record), ensure_ascii=False, allow_nan=False) + "\n" for record in kept)
            write_file(self.path, "".join(lines))
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
        return len(records) - len(kept)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Records:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def read(path: str | Path, kind: str = "") -> list[dict[str, Any]]:
    """All records, or those of one kind, in the order written. A torn last line is left out, a file not there is empty.

    Raises UserError, naming the line, when a line before the last is not a record.
    """
    path = Path(path)
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    records = [_parse(line, path, number) for number, line in enumerate(lines[:-1], 1)]  # what follows the last newline is torn
    return [record for record in records if not kind or record["kind"] == kind]


def _parse(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
        if not isinstance(record["step"], int) or record["kind"] not in KINDS:
            raise ValueError("no step or no known kind")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}:{number}: not a record: {error}", hint="delete this line; it was not written by seqcfg") from error
    return {name: _SPELT.get(value, value) if isinstance(value, str) else value for name, value in record.items()}


def _plain(value: Any) -> Any:
    """A value that JSON can hold: arrays and tensors of one number become numbers, NaN and infinities their names."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "numpy"):
        value = value.numpy()
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def _drop_torn_line(path: Path) -> None:
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with open(path, "r+b") as file:
            file.truncate(whole)
            os.fsync(file.fileno())
