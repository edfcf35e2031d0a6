"""Lines to be decoded: from files or standard input, block by block in bounded memory, as many out as went in."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from seqcfg.data.lines import MAX_LINE_BYTES, READ_ERRORS
from seqcfg.data.unpack import PACKED, open_bytes
from seqcfg.errors import UserError

FIRST_BLOCK, MAX_BLOCK = 64, 4096  # lines read before any is decoded: few at first, so that outputs come soon
MAX_PADDED = 1 << 24  # lines of a block times the characters of its longest: what padding may cost
PAUSE_SECONDS = 0.02  # a writer that is silent for so long waits for answers
SHOWN_BAD = 5
ENDED = object()  # what a stream without further lines gives
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class LineStream:
    """The lines of a file (plain, .gz, .xz, .bz2, .zst) or, for "-", of standard input.

    A line ends at a line feed and nowhere else; a carriage return before it and a byte order mark at the start are
    dropped. Every line gives one text: bytes that are not UTF-8 and NUL become U+FFFD, and what is longer than 1 MiB is
    cut; both are counted. Standard input is read as it comes: a block ends when the writer pauses.
    Raises UserError, naming the line, when the file cannot be read.
    """

    def __init__(self, name: str):
        if name != "-" and (not Path(name).exists() or Path(name).is_dir()):
            raise UserError(f"{name}: there is no such file", hint="give a file of one input per line, or - for standard input")
        self.name, self.number = name, 0
        self.bad: list[int] = []  # numbers of the first few lines that held something else than text
        self.num_bad = self.num_cut = 0

    def total(self) -> int:
        """The number of lines where counting is cheap, else 0."""
        path = Path(self.name)
        if self.name == "-" or not path.is_file() or path.suffix in PACKED or path.stat().st_size > 1 << 28:
            return 0
        with open(path, "rb") as file:
            count = last = 0
            while part := file.read(1 << 20):
                count, last = count + part.count(b"\n"), part[-1]
        return count + (last not in (0, 10))

    def texts(self) -> Iterator[str | None]:
        """The text of every line, and None where the writer of standard input pauses."""
        try:
            for raw in _raw_lines(self.name):
                yield None if raw is None else self._text(raw)
        except READ_ERRORS as error:
            raise UserError(f"{self.name}:{self.number + 1}: cannot be read: {error}", hint="the file is damaged or cut short") from error

    def _text(self, raw: bytes) -> str:
        self.number += 1
        if len(raw) > MAX_LINE_BYTES:
            self.num_cut += 1
            raw = _without_half_character(raw[:MAX_LINE_BYTES])
        if self.number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        raw = raw.removesuffix(b"\n").removesuffix(b"\r")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("utf-8", "replace")
            is_bad = True
        else:
            is_bad = "\0" in text
        if is_bad:
            self.num_bad += 1
            self.bad += [self.number] if len(self.bad) < SHOWN_BAD else []
        return text.replace("\0", REPLACEMENT)

    def remarks(self) -> list[str]:
        """What a user should know about the lines read."""
        found = []
        if self.num_bad:
            lines = ", ".join(map(str, self.bad)) + (" and others" if self.num_bad > len(self.bad) else "")
            found.append(f"{self.name}: {self.num_bad} lines held NUL or bytes that are not UTF-8, now U+FFFD: line {lines}")
        if self.num_cut:
            found.append(f"{self.name}: {self.num_cut} lines were longer than {MAX_LINE_BYTES} bytes and were cut")
        return found


def rows_of(streams: list[LineStream]) -> Iterator[tuple[str, ...] | None]:
    """The lines of parallel streams side by side, and None where the first one pauses; raises UserError if one ends early."""
    first, rest = streams[0].texts(), [(text for text in stream.texts() if text is not None) for stream in streams[1:]]
    while True:
        text = next(first, ENDED)
        if text is None:
            yield None
            continue
        row = [text, *(next(column, ENDED) for column in rest)]
        if all(one is ENDED for one in row):
            return
        whole = tuple(one for one in row if isinstance(one, str))
        if len(whole) < len(row):
            short = streams[row.index(ENDED)]
            raise UserError(f"{short.name} has {short.number} lines, and the other side has more", hint="line n belongs to line n")
        yield whole


def blocks(rows: Iterable[tuple[str, ...] | None]) -> Iterator[list[tuple[str, ...]]]:
    """Rows in lists of FIRST_BLOCK at first and up to MAX_BLOCK later; a None ends a list.

    A line too long for the others to be padded to starts a list of its own.
    """
    block: list[tuple[str, ...]] = []
    longest, most = 0, FIRST_BLOCK
    for row in rows:
        size = max(longest, *map(len, row)) if row else longest
        is_full = len(block) >= most
        if block and (row is None or is_full or size * (len(block) + 1) > MAX_PADDED):
            yield block
            most = min(MAX_BLOCK, most * 2) if is_full else most
            block, size = [], max(map(len, row)) if row else 0
        if row is not None:
            block.append(row)
        longest = size
    if block:
        yield block


def _raw_lines(name: str) -> Iterator[bytes | None]:
    if name != "-":
        with open_bytes(Path(name)) as file:
            yield from _lines_of(file)
        return
    handle = _handle(sys.stdin)
    if handle is None:
        yield from _lines_of(sys.stdin.buffer)
    else:
        yield from _live_lines(handle)


def _lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """Lines of at most MAX_LINE_BYTES + 1 bytes; what a longer one holds beyond is read over."""
    while raw := file.readline(MAX_LINE_BYTES + 1):
        while len(raw) > MAX_LINE_BYTES and (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
            pass
        yield raw


def _live_lines(handle: int) -> Iterator[bytes | None]:
    """Lines as they arrive, and None when none has arrived for a moment."""
    rest, is_over_long = b"", False
    while True:
        if not select.select([handle], [], [], PAUSE_SECONDS)[0]:
            yield None
        data = os.read(handle, 1 << 16)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if not is_over_long:
                yield line + b"\n"
            is_over_long = False
        if len(rest) > MAX_LINE_BYTES:
            if not is_over_long:
                yield rest[: MAX_LINE_BYTES + 1]
            rest, is_over_long = b"", True
    if rest and not is_over_long:
        yield rest


def _handle(stream: Any) -> int | None:
    """The file descriptor of a stream that can be waited for, or None: tests replace streams, and Windows cannot wait."""
    try:
        return None if os.name == "nt" else stream.fileno()
    except (OSError, ValueError):
        return None


def _without_half_character(raw: bytes) -> bytes:
    """UTF-8 that was cut anywhere, without its last character, of which bytes may be missing."""
    end = len(raw) - 1
    while end and raw[end] & 0xC0 == 0x80:
        end -= 1
    return raw[:end]
