"""Content hashes of files, remembered by size and modification time."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

BLOCK_BYTES = 1 << 20


def file_sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal; reads in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def folder_sha256(folder: str | os.PathLike) -> str:
    """The SHA-256 of the names and bytes of all files in a folder and below, in hexadecimal."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    listed = "".join(f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)
    return hashlib.sha256(listed.encode()).hexdigest()


class FileHashes:
    """A table path -> (size, modification time, inode, hash), kept as one JSON file in `folder`.

    The table is a convenience: a missing, damaged or unwritable one means that files are hashed again.
    """

    def __init__(self, folder: str | os.PathLike):
        self.file = Path(folder) / "file_hashes.json"
        self.known: dict[str, list] | None = None

    def sha256(self, path: Path) -> str:
        """The hash of one file."""
        return self.of_all([path])[0]

    def of_all(self, paths: list[Path]) -> list[str]:
        """The hashes of many files; the table is written once."""
        self.known = self._read() if self.known is None else self.known
        found, is_new = [], False
        for path in paths:
            path = path.resolve()
            state = path.stat()
            stamp = [state.st_size, state.st_mtime_ns, state.st_ino]
            entry = self.known.get(str(path))
            if not entry or entry[:3] != stamp:
                entry, is_new = [*stamp, file_sha256(path)], True
                self.known[str(path)] = entry
            found.append(entry[3])
        if is_new:
            self._write()
        return found

    def _read(self) -> dict[str, list]:
        try:
            table = json.loads(self.file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        entries = table.items() if isinstance(table, dict) else ()
        return {path: entry for path, entry in entries if isinstance(entry, list) and len(entry) == 4}

    def _write(self) -> None:
        temporary = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(self.known, indent=0, sort_keys=True), "utf-8")
            os.replace(temporary, self.file)
        except OSError:
            temporary.unlink(missing_ok=True)
