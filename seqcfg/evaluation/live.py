"""Text of a sound that is still arriving: what is certain, and what may change."""

from __future__ import annotations

import os.path
import shutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from seqcfg.evaluation.answering import tell
from seqcfg.evaluation.written import as_json, one_line

DIM, PLAIN, ANEW = "\x1b[2m", "\x1b[0m", "\r\x1b[K"


class SoFar(NamedTuple):
    """After `seconds` of sound: the text that stays, and what the best guess has behind it, nothing where `is_final`."""

    seconds: float
    text: str
    pending: str
    is_final: bool = False


def heard_so_far(listening: Any, pieces: Iterator[Any], rate: int, text_of: Callable[[list[int]], str]) -> Iterator[SoFar]:
    """What is understood after each piece of sound that changes it, and at last the whole."""
    certain: list[int] = []
    before, samples = (certain, certain), 0
    for piece in pieces:
        samples += len(piece)
        certain = certain + listening.hear(piece)
        now = (certain, list(listening.pending))
        if now != before:
            before, best = now, text_of(certain + listening.pending)
            text = os.path.commonprefix([text_of(certain), best])  # half a character may end in a sign that goes away
            yield SoFar(samples / rate, text, best[len(text) :])
    yield SoFar(samples / rate, text_of(certain + listening.finish()), "", is_final=True)


def show_objects(found: Iterator[SoFar]) -> None:
    """Writes each as one line of JSON, at once."""
    for one in found:
        tell(as_json({"seconds": round(one.seconds, 3), "text": one.text, "pending": one.pending, "is_final": one.is_final}) + "\n")


def show_changing(found: Iterator[SoFar]) -> None:
    """On a terminal: one line that is written anew, what may still change in dim letters; the whole text in the end."""
    for one in found:
        if one.is_final:
            tell(f"{ANEW}{one_line(one.text)}\n")
            return
        room = shutil.get_terminal_size().columns - 1
        text, pending = one_line(one.text), one_line(one.pending)[:room]
        tell(f"{ANEW}{text[max(0, len(text) + len(pending) - room) :]}{DIM}{pending}{PLAIN}")
