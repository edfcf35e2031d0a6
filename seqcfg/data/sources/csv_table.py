"""CSV: tables with titles, in which cells may be quoted (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Annotated

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import DataPath, Name, rules
from seqcfg.data.example import Example
from seqcfg.data.lines import Line, read_lines
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.parallel_text import as_list
from seqcfg.errors import UserError

MAX_RECORD_LINES = 200  # of a record whose quotes never end only these are lost


class CommaSeparated(Source, type="csv"):
    """One example a record; the first line of each file holds the titles. A quoted cell may hold separators and line feeds.

    A record with another number of cells than there are titles is damaged, and so is one whose quotes do not end.
    """

    path: DataPath | list[DataPath] = param(doc="File or files to read, plain or packed (.gz, .xz, .bz2, .zst).")
    fields: dict[Name, str] = param(factory=lambda: {"source": "source", "target": "target"}, doc="Field name -> title of the column.")
    separator: Annotated[str, rules(minLength=1, maxLength=1)] = param(default=",", doc="Character between cells.")

    def paths(self) -> list[str]:
        """The files that are read, as the recipe names them."""
        return as_list(self.path)

    def field_names(self) -> tuple[str, ...]:
        """The fields that are filled from columns."""
        return tuple(self.fields)

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per record, located by its first line; raises UserError if a file has no such titles."""
        for name in root.expand(self.paths()):
            records = _records(read_lines(root.resolve(name), name, keeps_what_is_read=True))
            titles = self._cells(next(records, Line("", 1)).text)
            missing = [title for title in self.fields.values() if title not in titles]
            if missing:
                raise UserError(f"{name}:1: has no column {missing[0]!r}", hint=f"its titles are {', '.join(titles)}")
            for record in records:
                yield self._example(name, record, titles)

    def _example(self, name: str, record: Line, titles: list[str]) -> Example:
        if record.problem:
            return Example({}, name, record.number, record.problem)
        try:
            cells = self._cells(record.text)
        except csv.Error as error:
            return Example({}, name, record.number, f"not CSV: {error}")
        if len(cells) != len(titles):
            return Example({}, name, record.number, f"{len(cells)} cells instead of {len(titles)}")
        row = dict(zip(titles, cells, strict=True))
        return Example({field: row[title] for field, title in self.fields.items()}, name, record.number)

    def _cells(self, text: str) -> list[str]:
        return next(csv.reader([text], delimiter=self.separator, strict=True), [])


def _records(lines: Iterator[Line]) -> Iterator[Line]:
    """Lines joined while a quote is open; quotes within cells are doubled, so that a record holds an even number of them."""
    held: list[Line] = []
    for line in lines:
        if line.problem:
            yield Line("", held[0].number if held else line.number, line.problem)
            held = []
            continue
        held.append(line)
        if sum(one.text.count('"') for one in held) % 2 == 0:
            if any(one.text for one in held):
                yield Line("\n".join(one.text for one in held), held[0].number)
            held = []
        elif len(held) == MAX_RECORD_LINES:
            yield Line("", held[0].number, "a quote that does not end")
            held = []
    if held:
        yield Line("", held[0].number, "a quote that does not end")
