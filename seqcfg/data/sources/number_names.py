"""Number names: a translation corpus that needs no download, written by rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import PositiveInt, rules
from seqcfg.data.example import Example
from seqcfg.data.number_words import english, french
from seqcfg.data.order import Permutation
from seqcfg.data.root import DataRoot
from seqcfg.errors import UserError
from seqcfg.lazy import np

SHARES = {"train": (0, 90), "validation": (90, 95), "test": (95, 100)}  # per cent of all numbers


class NumberNames(Source, type="number_names"):
    """English names of whole numbers and their French translations, in an order that depends on the seed alone.

    Fields: source (English), target (French). Each number belongs to one part for good (90 % train, 5 % validation,
    5 % test), so no part ever shows a number of another, whatever the other fields are. Short numbers are rare among all
    numbers, so each count of digits gets an equal share of the examples, as far as there are enough numbers of it.
    """

    part: Literal["train", "validation", "test"] = param(doc="Which of the three disjoint sets of numbers to take.")
    num_examples: PositiveInt = param(default=20000, doc="How many different numbers to take, in examples.")
    highest: Annotated[int, rules(minimum=9, maximum=999_999)] = param(default=999_999, doc="The largest number that may occur.")
    seed: int = param(default=0, doc="Chooses which numbers of the part are taken, and their order; the part itself does not depend on it.")

    def paths(self) -> list[str]:
        """No file is read."""
        return []

    def field_names(self) -> tuple[str, ...]:
        """What an example has."""
        return ("source", "target")

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per number; raises UserError if the part has fewer numbers than asked for."""
        for line, number in enumerate(self.numbers().tolist(), 1):
            yield Example({"source": english(number), "target": french(number)}, f"number_names({self.part})", line)

    def numbers(self) -> Any:
        """The numbers taken, int64 [num_examples], all different."""
        candidates = np.arange(self.highest + 1)
        share = Permutation(1_000_000, 0, "number_names")(candidates) // 10_000
        first, last = SHARES[self.part]
        candidates = candidates[(share >= first) & (share < last)]
        if len(candidates) < self.num_examples:
            raise UserError(
                f"number_names: the part {self.part!r} has only {len(candidates)} numbers up to {self.highest}, "
                f"and num_examples is {self.num_examples}",
                hint=f"num_examples: {len(candidates)}, or raise `highest`",
            )
        candidates = candidates[Permutation(len(candidates), self.seed, "number_names", "choice")(np.arange(len(candidates)))]
        digits = np.char.str_len(candidates.astype(str))
        left, taken = self.num_examples, []
        for count, waiting in zip(range(1, 7), range(6, 0, -1), strict=True):  # few digits first: what they lack goes to the longer
            of_length = candidates[digits == count]
            waiting = min(waiting, len(str(self.highest)) - count + 1)
            if waiting > 0:
                taken.append(of_length[: left // waiting if waiting > 1 else left])
                left -= len(taken[-1])
        chosen = np.concatenate(taken)
        if left:  # the longest numbers were too few for their share: fill up in the chosen order
            chosen = np.concatenate([chosen, candidates[~np.isin(candidates, chosen)][:left]])
        return chosen[Permutation(len(chosen), self.seed, "number_names", "order")(np.arange(len(chosen)))]
