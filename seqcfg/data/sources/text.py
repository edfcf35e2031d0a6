"""Plain text: one example a line."""

from __future__ import annotations

from collections.abc import Iterator

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import DataPath, Name
from seqcfg.data.example import Example
from seqcfg.data.lines import read_lines
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.parallel_text import as_list


class TextLines(Source, type="text"):
    """The lines of one or several text files, plain or packed (.gz, .xz, .bz2, .zst)."""

    path: DataPath | list[DataPath] = param(doc="File or files with one example a line.")
    field: Name = param(default="text", doc="Name of the field that the line becomes.")

    def paths(self) -> list[str]:
        """The files that are read, as the recipe names them."""
        return as_list(self.path)

    def field_names(self) -> tuple[str, ...]:
        """The one field of a line."""
        return (self.field,)

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per line; a damaged line becomes an example with a problem."""
        for name in root.expand(self.paths()):
            for line in read_lines(root.resolve(name), name, keeps_what_is_read=True):
                yield Example({} if line.problem else {self.field: line.text}, name, line.number, line.problem)
