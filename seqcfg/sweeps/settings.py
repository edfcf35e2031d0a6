"""The recipe's `sweep:` section."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Exploration, Pruner, Section
from seqcfg.component.types import Fraction, Name, PositiveInt, rules
from seqcfg.recipe.node import parse_path
from seqcfg.sweeps.explorations import Grid
from seqcfg.sweeps.space import Range, plain, values_of

Choices = Annotated[list[Any], rules("a list of values, or a range with low and high", minItems=1)]


class Sweep(Section, type="sweep"):
    """Which settings are tried, how often, and by what they are compared. `seqcfg sweep` reads it; training does not."""

    over: dict[str, Choices | Range] = param(factory=dict, doc="What is varied: recipe paths with a list of values or a range each.")
    seeds: PositiveInt = param(default=1, doc="Runs of each setting; training.seed counts up from the recipe's.")
    exploration: Exploration = param(default=Grid(), doc="In which order settings are tried.")
    metric: Name | None = param(default=None, doc="Validation figure that is compared; evaluation.best.metric unless given.")
    goal: Literal["minimize", "maximize"] | None = param(
        default=None, doc="Whether small or large is good; as evaluation.best unless given."
    )
    pruner: Pruner | None = param(default=None, doc="When runs are given up early; null runs all to their end.")
    confidence: Fraction = param(default=0.95, doc="Confidence of intervals, and of calling a difference real.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        for path in self.over:
            try:
                parts = parse_path(path)
            except ValueError as failure:
                yield "over", str(failure), "a path looks like training.schedule.peak"
                continue
            if parts == ("training", "seed"):
                yield "over", "training.seed is varied by seeds", "write seeds: 3, say, and leave it out here"
            if parts[0] in ("sweep", "name", "recipe_version", "claims", "about"):
                yield "over", f"{path} has no influence on a run", "name a setting of data, task, training, evaluation or decoding"

    def variants(self) -> Iterator[tuple[tuple[str | int, ...], list[dict[str, Any]]]]:
        """Each value of each path: by itself, and with the first value of every other path, which all grids hold."""
        choices = {path: [plain(value) for value in values_of(choice)] for path, choice in self.over.items()}
        first = {path: values[0] for path, values in choices.items()}
        for path, values in choices.items():
            for index, value in enumerate(values):
                place = ("over", path) if isinstance(self.over[path], Range) else ("over", path, index)
                yield place, [{path: value}, first | {path: value}]
