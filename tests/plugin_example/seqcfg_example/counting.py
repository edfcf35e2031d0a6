"""A source of a plugin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import PositiveInt
from seqcfg.data.example import Example


class Counting(Source, type="example.counting"):
    """The numbers from 1 up in digits, with the next number as translation."""

    num_examples: PositiveInt = param(default=100, doc="How many numbers, in examples.")

    def paths(self) -> list[str]:
        """No file is read."""
        return []

    def examples(self, root: Any) -> Iterator[Example]:
        for number in range(1, self.num_examples + 1):
            yield Example({"source": str(number), "target": str(number + 1)}, "counting", number)
