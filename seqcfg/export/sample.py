"""Sample: the texts on which run and exported model are compared, and those that show a quantiser what to expect."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


def _nothing(count: int) -> list[tuple[str, str]]:
    return []


class Sample(NamedTuple):
    """lines: inputs to decode; references[i]: those of line i, an empty list where there are none.

    `representative(count)` gives up to so many inputs of the training data with their outputs.
    """

    lines: list[str]
    references: list[list[str]] = []
    representative: Callable[[int], list[tuple[str, str]]] = _nothing

    def first(self, count: int | None) -> Sample:
        """The sample cut to its first lines; None leaves it whole."""
        return self._replace(lines=self.lines[:count], references=self.references[:count])
