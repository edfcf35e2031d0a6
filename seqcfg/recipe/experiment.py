"""Experiment: a recipe that has been read, checked and built; what every command starts from."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seqcfg.errors import RecipeError
from seqcfg.plan.declaration import Declaration
from seqcfg.recipe import validate
from seqcfg.recipe.canonical import canonical_recipe, fingerprint, only_changed
from seqcfg.recipe.node import Node, Origin, text_path
from seqcfg.recipe.rules import vocabularies
from seqcfg.recipe.sections import Recipe
from seqcfg.recipe.structure import problem_at
from seqcfg.recipe.validate import Checked


def load(file: str | os.PathLike[str], overrides: Iterable[str] = (), *, allow_base: bool = False) -> Experiment:
    """The experiment a recipe file describes, with `path=value` overrides; never loads TensorFlow.

    A recipe without data is a base for others and is refused unless `allow_base` is set. Raises RecipeError.
    """
    name = os.fspath(file)
    overrides = tuple(overrides)
    experiment = Experiment(name, overrides, validate.load(name, overrides))
    if experiment.recipe.data is None and not allow_base:
        hint = "it is a base for others: name it in 'base:' of a recipe that has data"
        raise RecipeError([problem_at(experiment.tree, ("data",), "E0403", "the recipe says nothing about data", hint)])
    return experiment


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A valid recipe. `file` and `overrides` are as given."""

    file: str
    overrides: tuple[str, ...]
    checked: Checked = dataclasses.field(repr=False)

    @property
    def recipe(self) -> Recipe:
        """The components; the sections are its fields."""
        return self.checked.built.recipe

    @property
    def name(self) -> str:
        """The recipe's name, or its file's stem."""
        return self.recipe.name or Path(self.file).stem

    @property
    def tree(self) -> Node:
        """The resolved recipe with positions."""
        return self.checked.tree

    @property
    def declaration(self) -> Declaration:
        """Every weight of the task."""
        return self.checked.declaration

    @property
    def vocabularies(self) -> dict[str, int]:
        """Tokenizer names and sizes."""
        return vocabularies(self.checked.built)

    @functools.cached_property
    def resolved(self) -> dict[str, Any]:
        """The recipe composed, overridden and with variables replaced, as a plain dict; defaults are not filled in."""
        plain = self.tree.plain()
        return {"recipe_version": plain["recipe_version"], "name": self.name} | {
            key: value for key, value in plain.items() if key != "name"
        }

    @functools.cached_property
    def origins(self) -> dict[str, list[Origin]]:
        """Recipe path -> every value given for it, the one that holds last; leaves only."""
        return {text_path(path): node.origins() for path, node in self.tree.walk() if not node.is_mapping and not node.is_list}

    def canonical(self) -> dict[str, Any]:
        """A plain dict with all defaults filled in and keys sorted; it is a valid recipe and means the same."""
        return canonical_recipe(self.recipe) | {"name": self.name}  # the key is there already, so the order stays

    def only_changed(self) -> dict[str, Any]:
        """A plain dict of what differs from the class defaults; it is a valid recipe and means the same."""
        return {"recipe_version": self.recipe.recipe_version, "name": self.name} | only_changed(self.recipe)

    @functools.cached_property
    def fingerprint(self) -> dict[str, str]:
        """{"data", "model", "training", "decoding": SHA-256}."""
        return fingerprint(self.recipe)

    def source(self) -> str:
        """The text of the recipe file as written."""
        return Path(self.file).read_text(encoding="utf-8")
