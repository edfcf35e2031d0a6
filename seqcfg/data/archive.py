"""Taking files out of tar and zip archives that may be hostile."""

from __future__ import annotations

import bz2
import contextlib
import dataclasses
import gzip
import io
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

from seqcfg.data.hashes import BLOCK_BYTES
from seqcfg.errors import UserError
from seqcfg.runs.durable import sync_folder

DAMAGE = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
MAX_NAME_BYTES = 400
DIRECTORY_BYTES_PER_ENTRY = 1024  # most that the list at the end of a zip archive takes


@dataclasses.dataclass(frozen=True)
class Limits:
    """How large an archive may turn out to be: entries, unpacked bytes, and unpacked bytes per packed byte."""

    entries: int = 20_000
    bytes: int = 64 << 30
    ratio: float = 200.0


class Entry(NamedTuple):
    """One name in an archive; `open` reads its bytes and is None for links, devices and the like."""

    name: str
    is_folder: bool
    open: Callable[[], IO[bytes]] | None


def extract(archive: Path, members: dict[str, Path], limits: Limits = Limits()) -> None:
    """Writes the members (name in the archive -> file to write) and nothing else; each file appears whole or not at all.

    Names in the archive decide about no path, and links, devices and folders are refused where a file is wanted. Raises
    UserError for archives that are damaged, too large, or lack a member.
    """
    wanted = dict(members)
    with _told(archive):
        for entry in _entries(archive, limits):
            target = wanted.pop(entry.name.removeprefix("./"), None)
            if target is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(entry, target, archive)
                sync_folder(target.parent)
            if not wanted:
                return
    raise UserError(f"{archive}: has no member {', '.join(sorted(wanted))}", hint="delete it and download it again")


def extract_folder(archive: Path, prefix: str, folder: Path, limits: Limits = Limits()) -> None:
    """Writes all files whose names begin with `prefix`, without it, into the folder, which appears whole or not at all.

    Raises UserError for archives that are damaged, too large or empty, and for names or kinds of entries that have no
    place in a corpus: absolute ones, those with `..`, links, devices.
    """
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    count = 0
    try:
        with _told(archive):
            for entry in _entries(archive, limits):
                name = entry.name.removeprefix("./")
                if not name.startswith(prefix) or entry.is_folder:
                    continue
                target = partial.joinpath(*_safe_parts(name.removeprefix(prefix), archive))
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(entry, target, archive)
                count += 1
        if not count:
            raise UserError(f"{archive}: has no file below {prefix!r}", hint="delete it and download it again")
        os.replace(partial, folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _safe_parts(name: str, archive: Path) -> list[str]:
    parts = name.split("/")
    is_odd = any(part in ("", ".", "..") for part in parts) or any(letter in name for letter in "\\:\0")
    if is_odd or len(name.encode("utf-8", "surrogateescape")) > MAX_NAME_BYTES:
        raise UserError(f"{archive.name}: the name {name[:80]!r} has no place in a corpus", hint="this is not the archive it should be")
    return parts


def _entries(archive: Path, limits: Limits) -> Iterator[Entry]:
    """The entries in order, within the limits; reading ahead of the caller is not allowed for the sake of streams."""
    with open(archive, "rb") as packed:
        reader = _zip_entries if packed.read(4) in (b"PK\3\4", b"PK\5\6") else _tar_entries
        packed.seek(0)
        for number, entry in enumerate(reader(packed, archive, limits)):
            if number >= limits.entries:
                raise _too_many(archive, limits)
            yield entry


@contextlib.contextmanager
def _told(archive: Path) -> Iterator[None]:
    """Turns what the libraries raise for damaged archives into a UserError."""
    try:
        yield
    except DAMAGE as error:
        raise UserError(f"{archive}: is damaged: {error}", hint="delete it and download it again") from error


def _tar_entries(packed: IO[bytes], archive: Path, limits: Limits) -> Iterator[Entry]:
    counted = _Counted(_unpacked(packed), archive, _Budget(archive, limits))
    with tarfile.open(fileobj=cast(IO[bytes], counted), mode="r|") as tar:
        for entry in tar:
            content = tar.extractfile(entry) if entry.isreg() else None
            yield Entry(entry.name, entry.isdir(), None if content is None else lambda content=content: content)  # type: ignore[misc]


def _zip_entries(packed: IO[bytes], archive: Path, limits: Limits) -> Iterator[Entry]:
    _check_directory(packed, archive, limits)
    budget = _Budget(archive, limits)
    with zipfile.ZipFile(packed) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            is_file = kind in (0, stat.S_IFREG) and not info.is_dir() and not info.flag_bits & 1  # bit 0: encrypted

            def read(info: zipfile.ZipInfo = info) -> IO[bytes]:
                return cast(IO[bytes], _Counted(opened.open(info), archive, budget))

            yield Entry(info.filename, info.is_dir(), read if is_file else None)


def _check_directory(packed: IO[bytes], archive: Path, limits: Limits) -> None:
    """Looks at the record at the end before the library reads the whole list of names into memory."""
    size = packed.seek(0, os.SEEK_END)
    packed.seek(max(0, size - (1 << 16) - 22))
    tail = packed.read()
    place = tail.rfind(b"PK\5\6")
    packed.seek(0)
    if place < 0 or len(tail) < place + 22:
        raise zipfile.BadZipFile("no list of names at its end")
    entries, length = int.from_bytes(tail[place + 10 : place + 12], "little"), int.from_bytes(tail[place + 12 : place + 16], "little")
    if entries == 0xFFFF or length == 0xFFFFFFFF:  # the 64-bit form, where the numbers stand elsewhere
        large = tail.rfind(b"PK\6\6", 0, place)
        if large < 0 or len(tail) < large + 56:
            raise zipfile.BadZipFile("no list of names at its end")
        entries, length = (int.from_bytes(tail[large + start : large + start + 8], "little") for start in (32, 40))
    if entries > limits.entries or length > limits.entries * DIRECTORY_BYTES_PER_ENTRY:
        raise _too_many(archive, limits)


def _too_many(archive: Path, limits: Limits) -> UserError:
    return UserError(f"{archive.name}: has more than {limits.entries} entries", hint="this is not the archive it should be")


def _write(entry: Entry, target: Path, archive: Path) -> None:
    if entry.open is None or entry.is_folder:
        raise UserError(f"{archive.name}: {entry.name} is not a regular file", hint="this is not the archive it should be")
    partial = target.with_name(target.name + ".part")
    try:
        with contextlib.closing(entry.open()) as content, open(partial, "wb") as file:
            while block := content.read(BLOCK_BYTES):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _unpacked(packed: IO[bytes]) -> IO[bytes]:
    magic = packed.read(6)
    packed.seek(0)
    for start, opener in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open)):
        if magic.startswith(start):
            return cast(IO[bytes], opener(packed, "rb"))
    return packed


class _Budget:
    """How many unpacked bytes are left to an archive."""

    def __init__(self, archive: Path, limits: Limits):
        self.left = int(min(limits.bytes, max(1 << 20, limits.ratio * archive.stat().st_size)))


class _Counted(io.RawIOBase):
    """Passes reads on and stops when the budget is used up."""

    def __init__(self, inner: IO[bytes], archive: Path, budget: _Budget):
        self._inner, self._archive, self._budget = inner, archive, budget

    def read(self, size: int = -1) -> bytes:
        block = self._inner.read(BLOCK_BYTES if size < 0 else size)
        self._budget.left -= len(block)
        if self._budget.left < 0:
            raise UserError(
                f"{self._archive.name}: unpacks to far more than an archive of its size should", hint="this is not the archive it should be"
            )
        return block
