"""ResumableFile: an output that survives any death of its writer and goes on where the last whole part ended."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from seqcfg.errors import UserError
from seqcfg.runs.durable import PARTIAL, sync_folder, write_file

try:
    import fcntl
except ImportError:  # Windows has other locks: two writers are not noticed there
    fcntl = None  # type: ignore[assignment]


class ResumableFile:
    """`with ResumableFile(path, purpose) as file:` writes path.partial, and renames it when the block ends well.

    purpose: {what: how it was made}, whatever changes the content; `lines` and `digest` are those of the last commit
    (0 and "" at first). Each commit is synced; what a killed writer wrote after its last commit is dropped. A path that ends
    in .gz gets one gzip member per commit. Raises UserError when an interrupted file had another purpose, unless `restart`.
    """

    def __init__(self, path: str | Path, purpose: dict[str, Any], restart: bool = False):
        self.path = Path(path)
        self.lines, self.digest = 0, ""
        self._partial = self.path.with_name(self.path.name + PARTIAL)
        self._state = self.path.with_name(self.path.name + PARTIAL + ".json")
        self._purpose, self._restart, self._bytes = purpose, restart, 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> ResumableFile:
        try:
            self._file = open(self._partial, "ab")  # noqa: SIM115 - lives as long as the block
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror}", hint="choose another --output") from error
        try:
            _lock(self._file, self.path)  # before anything is read or cut: another process may be at work
            before = self._before()
            self._file.truncate(before.get("bytes", 0))
        except BaseException:
            self._file.close()
            raise
        self.lines, self.digest, self._bytes = before.get("lines", 0), before.get("digest", ""), before.get("bytes", 0)
        return self

    def commit(self, text: str, lines: int, digest: str) -> None:
        """Adds a part and makes it last: `lines` inputs, whose checksum is `digest`, are then answered in all."""
        assert self._file is not None
        data = text.encode("utf-8")
        self._file.write(gzip.compress(data, mtime=0) if self.path.suffix == ".gz" else data)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._bytes = os.fstat(self._file.fileno()).st_size
        self.lines, self.digest = lines, digest
        state = {"purpose": self._purpose, "lines": lines, "bytes": self._bytes, "digest": digest}
        write_file(self._state, json.dumps(state))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._file is not None
        if kind is None:
            os.replace(self._partial, self.path)
            self._state.unlink(missing_ok=True)
            sync_folder(self.path.absolute().parent)
        self._file.close()

    def refuse_other_input(self, digest: str) -> None:
        """Raises UserError unless the lines that are answered already have the digest that the last commit had."""
        if digest != self.digest:
            raise UserError(
                f"the first {self.lines} lines of the input are not those that {self._partial} answers",
                hint="--restart begins anew; another --output leaves it as it is",
            )

    def _before(self) -> dict[str, Any]:
        """The state of the last commit, empty where there is none or where it is not wanted."""
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
            size = self._partial.stat().st_size
        except (OSError, ValueError):
            return {}
        if self._restart or size < state["bytes"]:
            return {}
        for what in sorted(self._purpose.keys() | state["purpose"].keys()):
            there, here = state["purpose"].get(what), self._purpose.get(what)
            if there != here:
                raise UserError(
                    f"{self._partial} was begun with {what} {there} and is now asked for with {here}",
                    hint="give the same options to go on, --restart to begin anew, or another --output",
                )
        return state


def _lock(file: IO[bytes], path: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(f"{path} is being written by another process", hint="wait for it, or choose another --output") from error
