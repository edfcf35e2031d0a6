"""What a sweep varies: for each recipe path a list of values, or a range."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any, Literal

from seqcfg.component.component import Component, Record, param
from seqcfg.component.types import PositiveInt
from seqcfg.errors import UserError
from seqcfg.recipe.canonical import canonical


class Range(Record):
    """All numbers between two bounds."""

    low: float = param(doc="Smallest value.")
    high: float = param(doc="Largest value.")
    scale: Literal["linear", "log"] = param(default="linear", doc="Whether differences or ratios are spread evenly.")
    is_whole: bool = param(default=False, doc="Whether only whole numbers are tried.")
    num_values: PositiveInt = param(default=5, doc="How many values a grid takes of it, both bounds among them.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.low >= self.high:
            yield "low", f"{self.low:g} is not below high, {self.high:g}", "swap them"
        if self.scale == "log" and self.low <= 0:
            yield "low", f"{self.low:g} has no logarithm", "take a positive number, or scale: linear"

    def at(self, share: float) -> float | int:
        """The value at a share of the way from low (0) to high (1)."""
        if self.scale == "log":
            value = math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + share * (self.high - self.low)
        value = min(max(value, self.low), self.high)  # a logarithm and back may pass a bound by a rounding
        return round(value) if self.is_whole else value

    def points(self) -> list[float | int]:
        """num_values of them, evenly spread; whole numbers without repeats."""
        count = self.num_values
        if count == 1:
            return [self.at(0.5)]
        return list(dict.fromkeys(self.at(index / (count - 1)) for index in range(count)))


Space = dict[str, Any]  # recipe path -> list of values, or Range
Values = dict[str, Any]  # recipe path -> the value of one trial


def values_of(choice: Any) -> list[Any]:
    """What a grid tries of a list or range."""
    return choice.points() if isinstance(choice, Range) else list(choice)


def plain(value: Any) -> Any:
    """A value of a trial as JSON holds it."""
    return canonical(value) if isinstance(value, Component) else value


def draw(choice: Any, seed: int, index: int, path: str) -> Any:
    """A value that depends on the arguments alone, so that a sweep that goes on draws what it drew before."""
    generator = random.Random(f"{seed}/{index}/{path}")
    return choice.at(generator.random()) if isinstance(choice, Range) else generator.choice(list(choice))


def parse_over(text: str) -> tuple[str, Any]:
    """`path=a,b,c` as (path, values), `path=low..high` and `path=low..high:log` as (path, Range); raises UserError."""
    from seqcfg.recipe.read import read_text

    path, equals, right = text.partition("=")
    if not equals or not path.strip() or not right.strip():
        example = "training.schedule.peak=1e-3,3e-4 or training.schedule.peak=1e-4..1e-2:log"
        raise UserError(f"--over {text}: is not PATH=VALUES", hint=f"write --over {example}")
    bounds, colon, scale = right.partition(":")
    if ".." in bounds and not any(mark in bounds for mark in "[{\"'"):
        return path.strip(), _range(text, bounds, scale if colon else "linear")
    values = read_text(f"[{right}]", f"--over {text}").plain()
    return path.strip(), values


def _range(text: str, bounds: str, scale: str) -> Range:
    low, _, high = bounds.partition("..")
    try:
        numbers = float(low), float(high)
    except ValueError:
        raise UserError(f"--over {text}: {bounds!r} are not two numbers", hint="write low..high, such as 1e-4..1e-2") from None
    if scale not in ("linear", "log"):
        raise UserError(f"--over {text}: there is no scale {scale!r}", hint="write low..high or low..high:log")
    is_whole = all(part.strip().lstrip("-").isdigit() for part in (low, high))
    found = Range(low=numbers[0], high=numbers[1], scale=scale, is_whole=is_whole)  # type: ignore[arg-type]
    for field, message, hint in found.check():
        raise UserError(f"--over {text}: {field}: {message}", hint=hint)
    return found
