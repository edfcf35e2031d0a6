"""Texts beside what is left of them without punctuation and capitals: a task whose data is any text."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterator

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import Name
from seqcfg.data.example import Example
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.composed import listed


class Unpunctuated(Source, type="unpunctuated"):
    """Pairs whose target is a text, and whose source is that text in lower case, without punctuation, words one space apart.

    Punctuation is what Unicode and Python's string.punctuation call so. This is the data of Lingvo's punctuator, for ASCII texts.
    A text of punctuation alone has an empty source, which is skipped in training.
    """

    source: Source = param(doc="Where the texts come from.")
    field: Name = param(default="text", doc="Its field that holds them.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        there = self.source.field_names()
        if there is not None and self.field not in there:
            yield "field", f"there is no field {self.field!r}", f"the source gives {', '.join(there)}"

    def paths(self) -> list[str]:
        """The files of the source."""
        return self.source.paths()

    def listed_paths(self, root: DataRoot) -> list[str]:
        """The files that those of the source name."""
        return listed(self.source, root)

    def field_names(self) -> tuple[str, ...]:
        """What an example has."""
        return ("source", "target")

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One pair per text; what is wrong with a text is wrong with its pair."""
        for example in self.source.examples(root):
            if not example.problem:
                text = example.fields[self.field]
                example = example._replace(fields={"source": without_punctuation(text), "target": text})
            yield example


def without_punctuation(text: str) -> str:
    """In lower case, words one space apart."""
    return " ".join("".join(letter for letter in text.lower() if not _is_punctuation(letter)).split())


def _is_punctuation(letter: str) -> bool:
    return letter in string.punctuation if letter.isascii() else unicodedata.category(letter).startswith("P")
