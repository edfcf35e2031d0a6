"""TSV: columns of text with a tab between them."""

from __future__ import annotations

from collections.abc import Iterator

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import DataPath
from seqcfg.data.example import Example
from seqcfg.data.lines import read_lines
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.parallel_text import as_list


class TabSeparated(Source, type="tsv"):
    """One example a line, its fields separated by tabs; there is no quoting. A line with too few columns is damaged."""

    path: DataPath | list[DataPath] = param(doc="File or files to read, plain or packed (.gz, .xz, .bz2, .zst).")
    columns: list[str] = param(
        factory=lambda: ["source", "target"], doc="Name of each column from the left, as a field; '' leaves a column out."
    )
    has_header: bool = param(default=False, doc="Whether the first line of each file holds titles and is left out.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        names = [name for name in self.columns if name]
        if len(set(names)) != len(names) or not names:
            yield "columns", f"the columns {self.columns} must name at least one field, and none twice", "name a column '' to leave it out"

    def paths(self) -> list[str]:
        """The files that are read, as the recipe names them."""
        return as_list(self.path)

    def field_names(self) -> tuple[str, ...]:
        """The columns that have a name."""
        return tuple(name for name in self.columns if name)

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per line; a damaged or short line becomes an example with a problem."""
        for name in root.expand(self.paths()):
            for line in read_lines(root.resolve(name), name, keeps_what_is_read=True):
                if self.has_header and line.number == 1:
                    continue
                cells = line.text.split("\t")
                problem = line.problem
                if not problem and len(cells) < len(self.columns):
                    problem = f"{len(cells)} columns instead of {len(self.columns)}"
                fields = {} if problem else {column: cell for column, cell in zip(self.columns, cells, strict=False) if column}
                yield Example(fields, name, line.number, problem)
