"""Lines of text files: plain, compressed or SGML, read with bounded memory, each with its number and what is wrong with it."""

from __future__ import annotations

import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from seqcfg.data.unpack import PACKED, member_of, opened
from seqcfg.errors import UserError

MAX_LINE_BYTES = 1 << 20
MAX_SGML_BYTES = 64 << 20
READ_ERRORS = (EOFError, OSError, zlib.error, lzma.LZMAError, tarfile.TarError)
CUT = "the packed file is cut short, and what follows is lost"
SEGMENT = re.compile(r"<seg\b[^>]*>(.*?)</seg\s*>", re.DOTALL | re.IGNORECASE)
ENTITIES = {"&quot;": '"', "&apos;": "'", "&lt;": "<", "&gt;": ">", "&amp;": "&"}  # the last one last


class Line(NamedTuple):
    """A line without its end, its number counted from 1, and "" or why it cannot be used.

    `is_cut` marks the place behind which a packed file gives nothing more.
    """

    text: str
    number: int
    problem: str = ""
    is_cut: bool = False


def read_lines(path: Path, name: str, *, keeps_what_is_read: bool = False) -> Iterator[Line]:
    """The lines of a text file; `.gz`, `.xz`, `.bz2` and `.zst` are unpacked, `.sgm` and `.xml` give their segments.

    `name` is the path as the recipe writes it; one with `!` reads a member of the tar archive at `path`.

    A line ends at a line feed and nowhere else (U+2028, NUL, form feed do not end it). A carriage return before the
    line feed and a byte order mark at the start are dropped. Raises UserError, naming `name`, if the file cannot be read;
    with `keeps_what_is_read` a packed file that is cut short ends in a line with that problem. One that fails its
    checksum stays an error: what was read of it may be wrong.
    """
    number = 0
    try:
        with opened(path, member_of(name)) as file:
            if _plain_suffix(Path(member_of(name) or path)) in (".sgm", ".sgml", ".xml"):
                yield from _segments(file.read(MAX_SGML_BYTES + 1), name)
                return
            while raw := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
                    _skip_rest(file)
                    yield Line("", number, f"a line of more than {MAX_LINE_BYTES} bytes")
                else:
                    yield _decoded(raw, number)
    except READ_ERRORS as error:
        if keeps_what_is_read and number and isinstance(error, EOFError):
            yield Line("", number + 1, CUT, is_cut=True)
            return
        raise UserError(f"{name}:{number + 1}: cannot be read: {error}", hint="the file is damaged or cut short; fetch it again") from error


def _plain_suffix(path: Path) -> str:
    return Path(path.stem).suffix if path.suffix in PACKED else path.suffix


def _skip_rest(file: IO[bytes]) -> None:
    while (raw := file.readline(MAX_LINE_BYTES)) and not raw.endswith(b"\n"):
        pass


def _decoded(raw: bytes, number: int) -> Line:
    if number == 1 and raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
    raw = raw[:-1] if raw.endswith(b"\n") else raw
    raw = raw[:-1] if raw.endswith(b"\r") else raw
    if b"\0" in raw:
        return Line("", number, f"a NUL byte at byte {raw.index(0) + 1}")
    try:
        return Line(raw.decode("utf-8"), number)
    except UnicodeDecodeError as error:
        return Line("", number, f"invalid UTF-8 at byte {error.start + 1} (0x{raw[error.start]:02x})")


def _segments(raw: bytes, name: str) -> Iterator[Line]:
    if len(raw) > MAX_SGML_BYTES:
        raise UserError(f"{name}: an SGML file of more than {MAX_SGML_BYTES} bytes is not read", hint="turn it into one sentence a line")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UserError(f"{name}:{line}: invalid UTF-8 (0x{raw[error.start]:02x})", hint="convert the file to UTF-8") from error
    line, end = 1, 0
    for match in SEGMENT.finditer(text):
        line, end = line + text.count("\n", end, match.start()), match.start()
        yield Line(" ".join(_unescape(match[1]).split("\n")).strip(), line)


def _unescape(text: str) -> str:
    for entity, character in ENTITIES.items():
        text = text.replace(entity, character)
    return text
