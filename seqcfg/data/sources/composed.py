"""Sources made of sources: several read one after the other, and texts that are marked with tags."""

from __future__ import annotations

from collections.abc import Iterator

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import Name
from seqcfg.data.example import Example
from seqcfg.data.root import DataRoot


class Concatenation(Source, type="concatenation"):
    """The examples of several sources, one after the other."""

    sources: list[Source] = param(doc="Sources in the order they are read.")

    def paths(self) -> list[str]:
        """The files of all sources."""
        return [path for source in self.sources for path in source.paths()]

    def listed_paths(self, root: DataRoot) -> list[str]:
        """The files that those of the sources name."""
        return [path for source in self.sources for path in listed(source, root)]

    def field_names(self) -> tuple[str, ...] | None:
        """The fields that all of them have, or None where one of them cannot tell."""
        names = [source.field_names() for source in self.sources]
        known = [each for each in names if each is not None]
        return tuple(name for name in known[0] if all(name in each for each in known)) if known and len(known) == len(names) else None

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """Each example once."""
        for source in self.sources:
            yield from source.examples(root)


class Tagged(Source, type="tagged"):
    """A source some of whose texts begin with a tag, such as the language to translate into (Johnson et al. 2017, arXiv:1611.04558).

    Declare the tags as the tokenizer's special tokens, so that each is one piece.
    """

    source: Source = param(doc="The source whose texts are marked.")
    prefixes: dict[Name, str] = param(doc="Field -> tag; a space is put between the tag and the text.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        there = self.source.field_names()
        for name in self.prefixes:
            if there is not None and name not in there:
                yield "prefixes", f"there is no field {name!r} to mark", f"the source gives {', '.join(there)}"

    def paths(self) -> list[str]:
        """The files of the source."""
        return self.source.paths()

    def listed_paths(self, root: DataRoot) -> list[str]:
        """The files that those of the source name."""
        return listed(self.source, root)

    def field_names(self) -> tuple[str, ...] | None:
        """Those of the source."""
        return self.source.field_names()

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """Each example with its tags; an empty text stays empty, so that it is found and skipped."""
        for example in self.source.examples(root):
            for name, tag in self.prefixes.items():
                if example.fields.get(name):
                    example.fields[name] = f"{tag} {example.fields[name]}"
            yield example


def listed(source: Source, root: DataRoot) -> list[str]:
    """The files that a source's own files name, such as audio."""
    return source.listed_paths(root) if hasattr(source, "listed_paths") else []
