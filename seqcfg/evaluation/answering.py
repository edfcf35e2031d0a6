"""Lines in, lines out: streams of inputs answered block by block, to standard output or to a file that can be resumed."""

from __future__ import annotations

import hashlib
import itertools
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from seqcfg.data.line_stream import LineStream, blocks, rows_of
from seqcfg.data.progress import prepare_bar
from seqcfg.runs.resumable import ResumableFile

Row: TypeAlias = tuple[str, ...]
Answers: TypeAlias = Callable[[list[Row], int, Callable[[int], None]], str]


def answer(
    streams: list[LineStream],
    target: str,
    answers: Answers,
    purpose: dict[str, Any],
    restart: bool,
    say: Callable[[str], None],
    what: str = "decoding",
) -> int:
    """Writes what `answers(rows, number of the first, progress)` returns for each block; returns the number of lines.

    progress is told how many lines are done in all. target: a file, or "-" for standard output, which is flushed after
    each block; `what` is being done. Whatever changes the answers stands in `purpose`, as ResumableFile has it.
    """
    total = min(stream.total() for stream in streams)
    with prepare_bar("lines") as progress:

        def show(done: int) -> None:
            progress(what, done, total)

        lines = _to_stdout(streams, answers, show) if target == "-" else _to_file(streams, target, answers, purpose, restart, say, show)
    for stream in streams:
        for remark in stream.remarks():
            say(remark)
    return lines


def tell(text: str) -> None:
    """Writes to standard output at once, in UTF-8 whatever the locale says."""
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def _to_stdout(streams: list[LineStream], answers: Answers, show: Callable[[int], None]) -> int:
    done = 0
    try:
        for block in blocks(rows_of(streams)):
            tell(answers(block, done, show))
            done += len(block)
    except BrokenPipeError:  # the reader has seen enough, as `head` has; nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    return done


def _to_file(
    streams: list[LineStream],
    target: str,
    answers: Answers,
    purpose: dict[str, Any],
    restart: bool,
    say: Callable[[str], None],
    show: Callable[[int], None],
) -> int:
    digest, rows = hashlib.sha256(), rows_of(streams)
    with ResumableFile(target, purpose, restart) as file:
        if file.lines:
            _update(digest, itertools.islice((row for row in rows if row is not None), file.lines))
            file.refuse_other_input(digest.hexdigest())
            say(f"{target}: goes on after line {file.lines}")
        try:
            for block in blocks(rows):
                text = answers(block, file.lines, show)
                _update(digest, block)
                file.commit(text, file.lines + len(block), digest.hexdigest())
        except KeyboardInterrupt:
            say(f"{target}: the answers to {file.lines} lines are kept; the same command goes on")
            raise
        return file.lines


def _update(digest: Any, rows: Iterable[Row]) -> None:
    for row in rows:
        digest.update("\0".join(row).encode("utf-8", "surrogatepass") + b"\n")
