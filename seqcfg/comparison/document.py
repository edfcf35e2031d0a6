"""Document: headings, tables and entries, written once and shown as text, Markdown or HTML."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Literal

Tone = Literal["", "good", "bad", "strong", "quiet"]


@dataclasses.dataclass(frozen=True)
class Cell:
    """A piece of text; `tone` says what it means to the reader, and each form shows that in its own way."""

    text: str
    tone: Tone = ""


@dataclasses.dataclass(frozen=True)
class Lines:
    """Sentences, one below the other."""

    lines: list[Cell]


@dataclasses.dataclass(frozen=True)
class Table:
    """Columns under a header; those whose numbers are in `right` are aligned there. `note` explains the figures."""

    header: list[str]
    rows: list[list[Cell]]
    right: frozenset[int] = frozenset()
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One thing of which every side says its own: `values` are (label, value, where it says so); `doc` what it means.

    `is_stacked` puts every value on a line of its own, however short.
    """

    head: str
    values: list[tuple[str, Cell, str]]
    doc: str = ""
    mark: str = ""  # said of the difference as a whole, such as x2
    is_stacked: bool = False


@dataclasses.dataclass(frozen=True)
class Entries:
    """Entries whose values have the same labels; `title` says what their heads are."""

    entries: list[Entry]
    title: str = "field"

    @property
    def has_meaning(self) -> bool:
        """Whether anything is said beside the values."""
        return any(entry.doc or entry.mark for entry in self.entries)


Block = Lines | Table | Entries


@dataclasses.dataclass(frozen=True)
class Section:
    title: str
    blocks: list[Block]


@dataclasses.dataclass(frozen=True)
class Document:
    """`lead` stands above all sections."""

    title: str
    lead: list[Cell]
    sections: list[Section]

    def blocks(self) -> Iterator[Block]:
        """All blocks in order."""
        for section in self.sections:
            yield from section.blocks


def shortened(text: str, most: int) -> str:
    """One line of at most `most` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 3].rstrip() + "..."
