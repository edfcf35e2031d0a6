"""Filters: which examples are not worth training on. Each tells why; what they drop is counted, and shown by example."""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from array import array
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Filter
from seqcfg.component.types import Name, NonNegativeInt, PositiveInt, Probability, rules

Check = Callable[[dict[str, Any]], str]
Unit = Literal["words", "characters"]


class LengthFilter(Filter, type="length"):
    """Keeps examples whose texts are neither too short nor too long."""

    fields: list[Name] = param(factory=lambda: ["source", "target"], doc="Fields of text that are measured.")
    unit: Unit = param(default="words", doc="What is counted: words between white space, or characters.")
    shortest: NonNegativeInt = param(default=1, doc="Fewest of them.")
    longest: PositiveInt = param(default=250, doc="Most of them.")

    def start(self) -> Check:
        def check(fields: dict[str, Any]) -> str:
            for name in self.fields:
                size = _size(fields[name], self.unit)
                if not self.shortest <= size <= self.longest:
                    return f"{name} has {size} {self.unit}"
            return ""

        return check


class RatioFilter(Filter, type="length_ratio"):
    """Keeps pairs whose longer text is at most so many times as long as the shorter one."""

    first: Name = param(default="source", doc="One field of text.")
    second: Name = param(default="target", doc="The other.")
    unit: Unit = param(default="words", doc="What is counted: words between white space, or characters.")
    highest: Annotated[float, rules(minimum=1)] = param(default=2.0, doc="Highest ratio of the lengths.")
    slack: NonNegativeInt = param(default=0, doc="A difference of at most so many is always kept; short texts have wild ratios.")

    def start(self) -> Check:
        def check(fields: dict[str, Any]) -> str:
            short, long = sorted([_size(fields[self.first], self.unit), _size(fields[self.second], self.unit)])
            is_kept = long - short <= self.slack or long <= self.highest * short
            return "" if is_kept else f"{self.first} and {self.second} have {short} and {long} {self.unit}"

        return check


class DuplicateFilter(Filter, type="duplicates"):
    """Keeps the first of several examples with the same texts; told apart by 64 bits of a hash (8 to 32 bytes of memory each)."""

    fields: list[Name] = param(factory=lambda: ["source", "target"], doc="Fields that must all be the same.")
    ignores_case_and_space: bool = param(default=False, doc="Whether case and white space make no difference.")

    def start(self) -> Check:
        seen = HashSet()

        def check(fields: dict[str, Any]) -> str:
            texts = [str(fields[name]) for name in self.fields]
            if self.ignores_case_and_space:
                texts = [" ".join(text.lower().split()) for text in texts]
            return "" if seen.add(text_hash(texts)) else "seen before"

        return check


class IdenticalFilter(Filter, type="identical"):
    """Drops pairs whose two texts are the same: not translated."""

    first: Name = param(default="source", doc="One field of text.")
    second: Name = param(default="target", doc="The other.")

    def start(self) -> Check:
        def check(fields: dict[str, Any]) -> str:
            return f"{self.first} is {self.second}" if fields[self.first].strip() == fields[self.second].strip() else ""

        return check


class ScriptFilter(Filter, type="script"):
    """Keeps texts most of whose letters belong to the script that they should be written in."""

    field: Name = param(doc="Field of text.")
    script: Annotated[str, rules("such as LATIN, CYRILLIC, GREEK, ARABIC, HEBREW, DEVANAGARI, HANGUL, CJK", pattern="^[A-Z]+$")] = param(
        doc="First word of the Unicode names of the script's letters; CJK stands for kana, too."
    )
    share: Probability = param(default=0.5, doc="Least share of the letters that must belong to it.")

    def start(self) -> Check:
        def check(fields: dict[str, Any]) -> str:
            share = script_share(fields[self.field], self.script)
            return "" if share >= self.share else f"{share:.0%} of the letters of {self.field} are {self.script}"

        return check


class PatternFilter(Filter, type="pattern"):
    """Keeps texts in which a regular expression of Python is found, or those in which it is not."""

    field: Name = param(doc="Field of text.")
    pattern: Annotated[str, rules(minLength=1, maxLength=1000)] = param(doc="The regular expression; it may match anywhere.")
    keep: Literal["found", "missing"] = param(default="found", doc="Whether texts with or without it are kept.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        try:
            re.compile(self.pattern)
        except re.error as error:
            yield "pattern", f"is no regular expression: {error}", "see the documentation of Python's re"

    def start(self) -> Check:
        search = re.compile(self.pattern).search

        def check(fields: dict[str, Any]) -> str:
            is_found = search(fields[self.field]) is not None
            return "" if is_found == (self.keep == "found") else f"{self.pattern!r} is {'found' if is_found else 'missing'} in {self.field}"

        return check


class HashSet:
    """A set of 64-bit numbers in one array, with open addressing."""

    def __init__(self) -> None:
        self._slots, self._size = array("Q", bytes(8 << 10)), 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, number: int) -> bool:
        slots, mask = self._slots, len(self._slots) - 1
        number = number or 1
        place = number & mask
        while slots[place] and slots[place] != number:
            place = (place + 1) & mask
        return slots[place] == number

    def add(self, number: int) -> bool:
        """Whether it is new."""
        number = number or 1  # 0 marks a free slot
        if not self._put(number):
            return False
        self._size += 1
        if 2 * self._size > len(self._slots):
            slots, self._slots = self._slots, array("Q", bytes(16 * len(self._slots)))
            for one in slots:
                if one:
                    self._put(one)
        return True

    def _put(self, number: int) -> bool:
        slots, mask = self._slots, len(self._slots) - 1
        place = number & mask
        while slots[place]:
            if slots[place] == number:
                return False
            place = (place + 1) & mask
        slots[place] = number
        return True


def text_hash(texts: list[str]) -> int:
    """64 bits that differ for different texts."""
    return int.from_bytes(hashlib.blake2b("\0".join(texts).encode("utf-8", "replace"), digest_size=8).digest(), "little")


def script_share(text: str, script: str) -> float:
    """Share of the letters of a text that belong to a script; 1 where there is no letter."""
    letters = [script_of(letter) for letter in text if letter.isalpha()]
    wanted = {"CJK", "HIRAGANA", "KATAKANA"} if script == "CJK" else {script}
    return sum(one in wanted for one in letters) / len(letters) if letters else 1.0


@functools.lru_cache(1 << 16)
def script_of(letter: str) -> str:
    """The first word of a letter's Unicode name, such as LATIN."""
    return unicodedata.name(letter, "UNNAMED").split()[0].partition("-")[0]


def _size(text: str, unit: str) -> int:
    return len(text.split()) if unit == "words" else len(text)
