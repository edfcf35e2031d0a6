"""Taking named files out of a tar archive that may be hostile."""

from __future__ import annotations

import bz2
import dataclasses
import gzip
import io
import lzma
import os
import tarfile
import zlib
from pathlib import Path
from typing import IO, cast

from seqcfg.data.hashes import BLOCK_BYTES
from seqcfg.errors import UserError
from seqcfg.runs.durable import sync_folder


@dataclasses.dataclass(frozen=True)
class Limits:
    """How large an archive may turn out to be: entries, unpacked bytes, and unpacked bytes per packed byte."""

    entries: int = 20_000
    bytes: int = 64 << 30
    ratio: float = 200.0


def extract(archive: Path, members: dict[str, Path], limits: Limits = Limits()) -> None:
    """Writes the members (name in the archive -> file to write) and nothing else; each file appears whole or not at all.

    Names in the archive decide about no path, and links, devices and folders are refused where a file is wanted. Raises
    UserError for archives that are damaged, too large, or lack a member.
    """
    wanted = dict(members)
    try:
        with open(archive, "rb") as packed:
            counted = _Counted(_unpacked(packed), archive, limits)
            with tarfile.open(fileobj=cast(IO[bytes], counted), mode="r|") as tar:
                for number, entry in enumerate(tar):
                    if number >= limits.entries:
                        raise UserError(
                            f"{archive.name}: has more than {limits.entries} entries", hint="this is not the archive it should be"
                        )
                    target = wanted.pop(entry.name.removeprefix("./"), None)
                    if target is not None:
                        _write(tar, entry, target, archive)
                    if not wanted:
                        return
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise UserError(f"{archive}: is damaged: {error}", hint="delete it and download it again") from error
    raise UserError(f"{archive}: has no member {', '.join(sorted(wanted))}", hint="delete it and download it again")


def _write(tar: tarfile.TarFile, entry: tarfile.TarInfo, target: Path, archive: Path) -> None:
    content = tar.extractfile(entry) if entry.isreg() else None
    if content is None:
        raise UserError(f"{archive.name}: {entry.name} is not a regular file", hint="this is not the archive it should be")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    try:
        with open(partial, "wb") as file:
            while block := content.read(BLOCK_BYTES):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(target.parent)


def _unpacked(packed: IO[bytes]) -> IO[bytes]:
    magic = packed.read(6)
    packed.seek(0)
    for start, opener in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open)):
        if magic.startswith(start):
            return cast(IO[bytes], opener(packed, "rb"))
    return packed


class _Counted(io.RawIOBase):
    """Passes reads on and stops at the limits."""

    def __init__(self, inner: IO[bytes], archive: Path, limits: Limits):
        self._inner, self._archive = inner, archive
        self._left = int(min(limits.bytes, max(1 << 20, limits.ratio * archive.stat().st_size)))

    def read(self, size: int = -1) -> bytes:
        block = self._inner.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise UserError(
                f"{self._archive.name}: unpacks to far more than an archive of its size should", hint="this is not the archive it should be"
            )
        return block
