"""Settings that a section will lay over the recipe later, as a sweep does: each is checked as if it had been given by --set."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from seqcfg.component.kinds import Section
from seqcfg.errors import Problem, RecipeError
from seqcfg.recipe.build import Built
from seqcfg.recipe.node import Node
from seqcfg.recipe.problem_list import ProblemList
from seqcfg.recipe.structure import problem_at


def check_variants(tree: Node, built: Built, check: Callable[[list[str]], Any]) -> list[Problem]:
    """What is wrong with the recipe under each variant of its sections, told at the value that brings it in.

    `check` takes overrides as --set does, and raises RecipeError.
    """
    problems, wrong = ProblemList(), set()
    for path, component in built.written:
        for below, alternatives in component.variants() if isinstance(component, Section) else ():
            found, node = tree.nearest((*path, *below))
            if found in wrong:
                continue  # a range is to blame once
            refused = [_refused(settings, check) for settings in alternatives]
            if (first := refused[0]) is not None and all(refused):
                wrong.add(found)
                where = f"{first.path}: " if first.path else ""
                message = f"with {told(alternatives[0])}: {where}{first.message}"
                problems.append(problem_at(node, found, first.code, message, first.hint))
    return list(problems)


def _refused(settings: dict[str, Any], check: Callable[[list[str]], Any]) -> Problem | None:
    """The first problem of the recipe under these settings."""
    try:
        check([f"{key}={json.dumps(value)}" for key, value in settings.items()])
    except RecipeError as refused:
        return refused.problems[0]
    return None


def told(settings: dict[str, Any]) -> str:
    """Settings as a user would write them after --set."""
    return ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in settings.items())
