"""Checking a recipe in phases; a phase runs when the earlier ones are clean, and reports all it finds in line order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from seqcfg.component.fields import Slot, fields_of
from seqcfg.errors import Problem, RecipeError
from seqcfg.plan.declaration import Declaration
from seqcfg.recipe import override
from seqcfg.recipe.build import Built, build
from seqcfg.recipe.classes import ROOT, apply_defaults
from seqcfg.recipe.compose import compose, named_in
from seqcfg.recipe.node import Node
from seqcfg.recipe.problem_list import in_line_order
from seqcfg.recipe.requirements import check_requirements
from seqcfg.recipe.rules import check_reach, check_rules, check_widths
from seqcfg.recipe.secrets import check_secrets
from seqcfg.recipe.sections import COMPOSITION_KEYS, SECTIONS
from seqcfg.recipe.structure import check_structure
from seqcfg.recipe.variables import substitute
from seqcfg.recipe.variants import check_variants
from seqcfg.recipe.version import check_version, check_version_is_given

RESOLVED = "resolved.yaml"  # what a run keeps of its recipe


@dataclasses.dataclass
class Checked:
    """A recipe that may be run: its values with positions, its components, the weights of its task."""

    tree: Node
    built: Built
    declaration: Declaration


def validate(file: str, overrides: Iterable[str] = ()) -> list[Problem]:
    """What is wrong with a recipe; an empty list if nothing is."""
    overrides = list(overrides)
    try:
        checked = load(file, overrides)
    except RecipeError as error:
        return list(error.problems)
    return check_variants(checked.tree, checked.built, lambda settings: check(resolve(file, [*overrides, *settings])))


def load(file: str, overrides: Iterable[str] = ()) -> Checked:
    """The recipe resolved and checked; a problem in a base tells where the recipe names it. Raises RecipeError."""
    try:
        return check(resolve(file, overrides))
    except RecipeError as error:
        if all(problem.file == file or not problem.line for problem in error.problems):
            raise
        places = {base: ":".join(map(str, place)) for base, place in named_in(file).items()}
        raise RecipeError(
            dataclasses.replace(problem, named_in=places.get(problem.file, "")) for problem in error.problems
        ) from error.__cause__


def resolve(file: str, overrides: Iterable[str] = ()) -> Node:
    """The recipe with bases, overrides, variables and defaults applied, not yet held against any schema."""
    composed = override.apply(compose(file), overrides)
    _stop_at(check_secrets(composed))
    tree = apply_defaults(substitute(composed))
    return dataclasses.replace(tree, value={key: node for key, node in tree.value.items() if key not in COMPOSITION_KEYS})


def check(tree: Node) -> Checked:
    """Runs the phases after composition; raises RecipeError with the problems of the first phase that has any."""
    _stop_at(check_version(tree) + check_version_is_given(tree))
    _stop_at(check_requirements(tree))
    whole = with_sections(tree)
    _stop_at(check_structure(whole))
    built = build(whole)
    _stop_at(check_rules(whole, built))
    if Path(tree.place.file).name != RESOLVED:  # there --set has left no trace: what is used of it is checked when the run is opened
        _stop_at(check_reach(whole, built))
    declaration, problems = check_widths(whole, built)
    _stop_at(problems)
    assert declaration is not None
    return Checked(tree, built, declaration)


def with_sections(tree: Node) -> Node:
    """The recipe with an empty mapping for every section that is left out and can stand on its defaults.

    A recipe without `data:` is a base for others: it can be validated and planned, but not run.
    """
    fields = {name: slot for name, slot in _section_slots().items() if name not in tree.value or tree.value[name].value is None}
    empty = {name: Node({}, tree.value[name].place if name in tree.value else tree.place) for name in fields}
    return dataclasses.replace(tree, value=tree.value | empty)


def _section_slots() -> dict[str, Slot]:
    assert ROOT.component is not None
    slots = {name: fields_of(ROOT.component)[name].slot for name in SECTIONS}
    return {
        name: slot
        for name, slot in slots.items()
        if slot.fixed_class is not None and not any(field.is_required for field in fields_of(slot.fixed_class).values())
    }


def _stop_at(problems: list[Problem]) -> None:
    if problems:
        raise RecipeError(in_line_order(problems))
