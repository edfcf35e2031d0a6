"""Reverse: words and the same words backwards, a task that every sequence model must learn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Annotated, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import PositiveInt, rules
from seqcfg.data.example import Example
from seqcfg.data.root import DataRoot

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Reverse(Source, type="reverse"):
    """Random letters with spaces between them, and the same backwards; fields source and target.

    Example i is a function of (part, seed, i), so that more examples begin with the same ones.
    """

    part: Literal["train", "validation", "test"] = param(default="train", doc="Which set of examples; different parts draw differently.")
    num_examples: PositiveInt = param(default=10_000, doc="How many, in examples.")
    num_symbols: Annotated[int, rules(minimum=1, maximum=26)] = param(default=8, doc="How many different letters occur.")
    shortest: PositiveInt = param(default=1, doc="Fewest letters of an example.")
    longest: PositiveInt = param(default=16, doc="Most letters of an example; all lengths are equally frequent.")
    seed: int = param(default=0, doc="Chooses the letters.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.shortest > self.longest:
            yield "shortest", f"{self.shortest} is more than longest, {self.longest}", f"at most {self.longest}"

    def paths(self) -> list[str]:
        """No file is read."""
        return []

    def field_names(self) -> tuple[str, ...]:
        """What an example has."""
        return ("source", "target")

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per number."""
        for number in range(1, self.num_examples + 1):
            draw = hashlib.shake_256(f"{self.part} {self.seed} {number}".encode()).digest(8 + 4 * self.longest)
            length = self.shortest + int.from_bytes(draw[:8], "little") % (self.longest - self.shortest + 1)
            codes = [int.from_bytes(draw[i : i + 4], "little") % self.num_symbols for i in range(8, 8 + 4 * length, 4)]
            letters = [LETTERS[code] for code in codes]
            fields = {"source": " ".join(letters), "target": " ".join(reversed(letters))}
            yield Example(fields, f"reverse({self.part})", number)
