"""Sample: the texts or sounds on which run and exported model are compared, and those that show a quantiser what to expect."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


def _nothing(count: int) -> list[tuple[Any, str]]:
    return []


class Sample(NamedTuple):
    """lines: inputs to decode, texts or float32 [samples]; references[i]: those of line i, an empty list where there are none.

    `representative(count)` gives up to so many inputs of the training data with their outputs; `names` call sounds by name.
    """

    lines: Any
    references: list[list[str]] = []
    representative: Callable[[int], Iterable[tuple[Any, str]]] = _nothing
    names: list[str] = []

    def first(self, count: int | None) -> Sample:
        """The sample cut to its first lines; None leaves it whole."""
        return self._replace(lines=self.lines[:count], references=self.references[:count], names=self.names[:count])

    @property
    def shown(self) -> list[str]:
        """What each line is called in reports: itself, or the name of its sound."""
        return self.names or [one if isinstance(one, str) else f"sound {number}" for number, one in enumerate(self.lines, 1)]

    def spread(self, count: int) -> list[Any]:
        """So many lines that hold something, from short ones to long ones."""
        found = sorted(self.some(len(self.lines)), key=len)
        return found[:: max(1, len(found) // max(1, count))][:count]

    def some(self, count: int) -> list[Any]:
        """The first lines that hold something."""
        found: list[Any] = []
        for line in self.lines if count else []:
            if len(line.strip() if isinstance(line, str) else line):
                found.append(line)
            if len(found) == count:
                break
        return found
