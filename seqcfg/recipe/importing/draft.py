"""Draft: a recipe that was made from another system's settings, and its text."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import Any

from seqcfg.recipe import migrations
from seqcfg.recipe.importing.foreign import Remark
from seqcfg.recipe.write import to_yaml

MODELINE = "# yaml-language-server: $schema=schemas/recipe.schema.json"
WIDTH = 110


@dataclasses.dataclass
class Draft:
    """What is written: a shipped base, or none, and the values that replace its own.

    `missing` says what the recipe lacks to be valid, `origin` what it was made from, `advice` what the reader should know
    or do, `remarks` which keys were left behind.
    """

    name: str
    about: str
    origin: str
    base: str
    values: dict[str, Any]
    advice: list[str]
    remarks: list[Remark]
    missing: str = ""

    def text(self) -> str:
        """The recipe as YAML with its origin in comments; values stand in the order of the recipe's sections."""
        lines = [MODELINE]
        for note in [self.origin, self.missing, *self.advice, self._left_behind()]:
            lines += textwrap.wrap(printable(note), WIDTH, initial_indent="# ", subsequent_indent="#   ")
        head = {"recipe_version": migrations.current_version(), "name": self.name, "about": self.about, "base": self.base}
        if not self.base:
            del head["base"]
        return "\n".join(lines) + "\n" + to_yaml({**head, **without_empty(self.values)})

    def _left_behind(self) -> str:
        if not self.remarks:
            return ""
        return "Not carried over as they are: " + ", ".join(dict.fromkeys(remark.key for remark in self.remarks)) + "."


def printable(text: str) -> str:
    """The text with a question mark for every character that a recipe's comment may not hold."""
    return "".join(character if character.isprintable() else "?" for character in text)


def without_empty(value: Any) -> Any:
    """The mapping without what is None and without mappings that are empty."""
    if not isinstance(value, dict):
        return value
    kept = {key: without_empty(item) for key, item in value.items()}
    return {key: item for key, item in kept.items() if item is not None and item != {}}
