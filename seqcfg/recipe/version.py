"""The version of the recipe language that a file is written in."""

from __future__ import annotations

from seqcfg.errors import Problem
from seqcfg.recipe import migrations
from seqcfg.recipe.messages import show
from seqcfg.recipe.node import Node, text_path

KEY = "recipe_version"


def check_version(file: Node) -> list[Problem]:
    """A problem if one file, a recipe or a base, says that it is written in another version; it may say nothing."""
    node = file.value.get(KEY)
    current = migrations.current_version()
    if node is None or (node.value == current and not isinstance(node.value, bool)):
        return []
    is_older = isinstance(node.value, int) and not isinstance(node.value, bool) and 1 <= node.value < current
    message = f"this seqcfg reads recipes of version {current}, not {show(node.plain())}"
    hint = "seqcfg migrate --write FILE rewrites it" if is_older else "a newer seqcfg may read it"
    return [_problem(node, "E0242" if is_older else "E0241", message, hint)]


def check_version_is_given(tree: Node) -> list[Problem]:
    """A problem if neither the recipe nor a base says its version."""
    if KEY in tree.value:
        return []
    hint = f"write '{KEY}: {migrations.current_version()}' in the first line"
    return [_problem(tree, "E0240", "the version of the recipe language is missing", hint)]


def _problem(node: Node, code: str, message: str, hint: str) -> Problem:
    place = node.place
    return Problem(message=message, hint=hint, path=text_path((KEY,)), file=place.file, line=place.line, column=place.column, code=code)
