"""JSON lines: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import DataPath
from seqcfg.data.example import Example
from seqcfg.data.lines import Line, read_lines
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.nested import is_text, value_at
from seqcfg.data.sources.parallel_text import as_list


class JsonLines(Source, type="jsonl"):
    """One JSON object a line, some of whose keys become fields. A line that lacks one, or is no object, is damaged."""

    path: DataPath | list[DataPath] = param(doc="File or files to read, plain or packed (.gz, .xz, .bz2, .zst).")
    fields: dict[str, str] = param(
        factory=lambda: {"source": "source", "target": "target"}, doc="Field name -> key of the object; dots lead into nested objects."
    )

    def paths(self) -> list[str]:
        """The files that are read, as the recipe names them."""
        return as_list(self.path)

    def field_names(self) -> tuple[str, ...]:
        """The fields that are filled from keys."""
        return tuple(self.fields)

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per line; text must be a string that UTF-8 can hold. A damaged line becomes an example with a problem."""
        for name in root.expand(self.paths()):
            for line in read_lines(root.resolve(name), name, keeps_what_is_read=True):
                yield self._example(name, line)

    def _example(self, name: str, line: Line) -> Example:
        if line.problem:
            return Example({}, name, line.number, line.problem)
        try:
            record = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            return Example({}, name, line.number, f"not JSON: {error}")
        fields = {}
        for field, key in self.fields.items():
            value = value_at(record, key)
            if value is None:
                return Example({}, name, line.number, f"has no {key!r}")
            if isinstance(value, str) and not is_text(value):
                return Example({}, name, line.number, f"{key!r} holds half a surrogate pair or a NUL")
            fields[field] = value
        return Example(fields, name, line.number)
