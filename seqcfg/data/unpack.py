"""Opening files that may be packed, or members of tar archives, for reading bytes from the start."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from seqcfg.data.extras import extra
from seqcfg.data.root import MEMBER
from seqcfg.errors import UserError

BUFFER_BYTES = 1 << 18
MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\x00": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}


class _Zstandard(io.RawIOBase):
    """The bytes of a file of zstandard frames; unlike the library's own reader it notices that a file was cut."""

    def __init__(self, file: Any, mode: str):
        self._library = extra("zstandard", "a .zst file")
        self._file: Any = open(file, mode) if isinstance(file, Path) else file  # noqa: SIM115
        self._owns, self._frame, self._ready, self._packed = isinstance(file, Path), cast(Any, None), b"", b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            self._packed = self._packed or self._file.read(BUFFER_BYTES)
            if not self._packed:
                if self._frame is not None:
                    raise EOFError("the file ends within a frame")
                return 0
            self._frame = self._frame or self._library.ZstdDecompressor().decompressobj()
            try:
                self._ready = self._frame.decompress(self._packed)
            except self._library.ZstdError as error:
                raise OSError(str(error)) from error
            self._packed = self._frame.unused_data
            self._frame = None if self._frame.eof else self._frame
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def close(self) -> None:
        if self._owns:
            self._file.close()
        super().close()


class _Pieces(io.RawIOBase):
    """A packed file read in the pieces that it unpacks to, so that all before the place where it is cut is had."""

    def __init__(self, file: Any):
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._file.read1(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()


PACKED: dict[str, Callable[[Any, str], Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open, ".zst": _Zstandard}


def member_of(name: str) -> str:
    """The member's name in `archive.tar!member`, "" for a path without one."""
    return name.partition(MEMBER)[2]


def open_bytes(path: Path) -> IO[bytes]:
    """Opens a file for reading bytes, unpacked by its suffix."""
    return _unpacked(path, path.suffix)


@contextlib.contextmanager
def opened(path: Path, member: str = "") -> Iterator[IO[bytes]]:
    """Opens a file for reading bytes, unpacked by its suffix; or a member of the tar archive, unpacked by its own suffix.

    Raises UserError if the archive has no such regular file, and what the packers raise if it is damaged.
    """
    if not member:
        with open_bytes(path) as file:
            yield file
        return
    with open(path, "rb") as archive, _stream(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for entry in tar:
            if entry.name.removeprefix("./") == member and entry.isreg():
                content = cast(IO[bytes], tar.extractfile(entry))
                with _unpacked(content, Path(member).suffix) as file:
                    yield file
                return
    raise UserError(f"{path.name}{MEMBER}{member}: the archive has no such file", hint=f"list its files: tar tf {path}")


def _unpacked(file: Any, suffix: str) -> IO[bytes]:
    if opener := PACKED.get(suffix):
        unpacked = opener(file, "rb")
        return io.BufferedReader(unpacked if isinstance(unpacked, io.RawIOBase) else _Pieces(unpacked), BUFFER_BYTES)
    return open(file, "rb", buffering=BUFFER_BYTES) if isinstance(file, Path) else cast(IO[bytes], file)


def _stream(archive: IO[bytes]) -> IO[bytes]:
    start = archive.read(6)
    archive.seek(0)
    for magic, suffix in MAGIC.items():
        if start.startswith(magic):
            return cast(IO[bytes], io.BufferedReader(PACKED[suffix](archive, "rb"), BUFFER_BYTES))
    return archive
