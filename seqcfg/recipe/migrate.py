"""Bringing a recipe's text to the current version of the language: only what must change, in place.

Comments, quotes, order, blank lines and line ends stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from seqcfg.errors import Problem, RecipeError
from seqcfg.recipe import migrations
from seqcfg.recipe.node import Node, Path, Place, text_path
from seqcfg.recipe.read import PARSER, read_text, without_tabs
from seqcfg.recipe.version import KEY, check_version, check_version_is_given
from seqcfg.recipe.write import to_yaml


class Edit(NamedTuple):
    """Characters `start` to `end` of the text become `text`."""

    start: int
    end: int
    text: str


class Draft:
    """A recipe file that is being rewritten: its nodes, and edits at their places."""

    def __init__(self, text: str, file: str):
        self.text = text
        self.tree = read_text(text, file)
        self.edits: list[Edit] = []
        self._spans: dict[tuple[int, int], tuple[int, int]] = {}  # of words, by line and column
        events: Any = yaml.parse(without_tabs(text), Loader=PARSER)
        for event in events:
            if isinstance(event, yaml.ScalarEvent):
                start: Any = event.start_mark
                end: Any = event.end_mark
                self._spans[start.line + 1, start.column + 1] = (start.index, end.index)

    def mappings(self, type: str = "") -> Iterator[tuple[Path, Node]]:
        """Every mapping with its path; with `type`, those that name this type, and what `defaults:` gives to it.

        Several kinds may have a type of one name: look at the path then.
        """
        for path, node in self.tree.walk():
            if node.is_mapping and (not type or self._is_of(type, path, node)):
                yield path, node

    def rename_type(self, old: str, new: str) -> None:
        """Renames a type where components name it, and in the keys of `defaults:`."""
        for path, node in self.mappings(old):
            if "type" in node.value:
                self.set_value(node.value["type"], new)
            else:
                self._replace(node.key_place, f"{str(path[-1]).partition('.')[0]}.{new}")

    def _is_of(self, type: str, path: Path, node: Node) -> bool:
        if len(path) == 2 and path[0] == "defaults":
            return str(path[1]).partition(".")[2] == type
        return "type" in node.value and node.value["type"].value == type

    def rename_key(self, mapping: Node, old: str, new: str) -> None:
        """Renames a key where it is written; raises RecipeError if the new one is there as well."""
        node = mapping.value.get(old)
        if node is None:
            return
        if new in mapping.value:
            message = f"{old!r} is now called {new!r}, and both are here"
            raise _refused(node.key_place or node.place, message, "remove one of the two")
        self._replace(node.key_place, new)

    def set_value(self, node: Node, value: Any) -> None:
        """Replaces a plain value by another; texts keep their quotes."""
        self._replace(node.place, value if isinstance(value, str) else to_yaml(value).removesuffix("\n...\n").strip())

    def result(self) -> str:
        """The text with all edits made."""
        parts, done = [], 0
        for edit in sorted(self.edits):
            parts += [self.text[done : edit.start], edit.text]
            done = edit.end
        return "".join([*parts, self.text[done:]])

    def _replace(self, place: Place | None, new: str) -> None:
        assert place is not None
        start, end = self._spans[place.line, place.column]
        quote = self.text[start] if self.text[start] in "\"'" else ""
        self.edits.append(Edit(start, end, f"{quote}{new}{quote}"))


def migrate(text: str, file: str) -> tuple[str, list[str]]:
    """The text in the current version, and what the steps say of themselves; raises RecipeError as reading does.

    A text of the current version comes back as it is.
    """
    done: list[str] = []
    while True:
        draft = Draft(text, file)
        if not draft.tree.is_mapping:
            raise _refused(draft.tree.place, "a recipe is a mapping of keys to values")
        version = draft.tree.value.get(KEY)
        if version is None:
            raise RecipeError(check_version_is_given(draft.tree))
        problems = check_version(draft.tree)
        if not problems:
            return text, done
        if problems[0].code != "E0242":
            raise RecipeError(problems)
        step = migrations.MIGRATIONS[version.value - 1]
        step.rewrite(draft)
        draft.set_value(version, version.value + 1)
        text = draft.result()
        done.append(f"{version.value} -> {version.value + 1}: {step.about}")


def _refused(place: Place, message: str, hint: str = "") -> RecipeError:
    return RecipeError(
        [Problem(message=message, hint=hint, path=text_path(()), file=place.file, line=place.line, column=place.column, code="E0243")]
    )
