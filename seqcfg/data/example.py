"""Example: one raw record of a corpus, and the place it was read from."""

from __future__ import annotations

from typing import Any, NamedTuple


class Example(NamedTuple):
    """Raw fields by name ("source", "target", ...) with their place, or what is wrong with the record.

    fields   str, bytes or array by field name; empty when there is a problem
    file     path as the recipe writes it, or the name of a generator
    line     counted from 1: the line, record or segment within the file
    problem  "" for a good record, else what makes it unusable
    """

    fields: dict[str, Any]
    file: str
    line: int
    problem: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"
