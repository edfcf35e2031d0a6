"""The phases after the schema: rules across fields, then widths, each mapped back to the line that is to blame."""

from __future__ import annotations

from typing import Any

from seqcfg.component.catalog import closest, listed
from seqcfg.component.component import Component
from seqcfg.errors import Problem
from seqcfg.plan.declaration import Declaration, Misfit, declare_root
from seqcfg.recipe.build import Built
from seqcfg.recipe.node import OVERRIDE, Node, Path, parse_path
from seqcfg.recipe.problem_list import ProblemList
from seqcfg.recipe.structure import problem_at


def check_rules(tree: Node, built: Built) -> list[Problem]:
    """Every broken `check()` of every component, and tokenizers the task names that do not exist."""
    problems = ProblemList()
    for path, component in built.written:
        for field, message, hint in component.check():
            found, node = tree.nearest((*path, *(parse_path(field) if field else ())))
            problems.append(problem_at(node, (*path, *parse_path(field)) if field else found, "E0401", message, hint))
    return [*problems, *_check_tokenizers(tree, built)]


def check_reach(tree: Node, built: Built, sections: tuple[str, ...] = ()) -> list[Problem]:
    """What a recipe names and may not (`Component.strays`), in these sections or in all; what --set says is the user's word."""
    problems = ProblemList()
    for path, component in built.written:
        if sections and path[:1] not in [(section,) for section in sections]:
            continue
        for field, message, hint in component.strays():
            found, node = tree.nearest((*path, *parse_path(field)))
            if not node.place.file.startswith(OVERRIDE):
                problems.append(problem_at(node, found, "E0404", message, hint))
    return list(problems)


def _check_tokenizers(tree: Node, built: Built) -> list[Problem]:
    recipe = built.recipe
    features = getattr(recipe.task, "features", None)
    if features is None:
        return []
    wanted = {feature.tokenizer for feature in features().values() if feature.tokenizer}
    problems = ProblemList()
    for name in sorted(wanted - set(recipe.tokenizers)):
        path = _field_holding(tree, ("task",), name)
        hint = closest(name, recipe.tokenizers) or f"tokenizers has {listed(recipe.tokenizers) or 'none'}"
        problems.append(problem_at(tree.nearest(path)[1], path, "E0402", f"there is no tokenizer called {name!r}", hint))
    return problems


def _field_holding(tree: Node, below: Path, value: Any) -> Path:
    """The first path below `below` that holds this value."""
    for path, node in tree.nearest(below)[1].walk(below):
        if node.value == value and not isinstance(path[-1], int):
            return path
    return below


def vocabularies(built: Built) -> dict[str, int]:
    """Tokenizer names and sizes, as tasks are given them."""
    return {name: tokenizer.vocab_size for name, tokenizer in built.recipe.tokenizers.items()}  # type: ignore[attr-defined]


def check_widths(tree: Node, built: Built) -> tuple[Declaration | None, list[Problem]]:
    """The task's declaration, or the width that does not fit."""
    root = Declaration(built.recipe.task)
    try:
        declare_root(root, vocabularies(built))
    except Misfit as misfit:
        return None, [locate(misfit, root, tree, built)]
    return root, [*_declare_ranges(tree, built, root), *_check_strategy(tree, built, root)]


def _declare_ranges(tree: Node, built: Built, root: Declaration) -> list[Problem]:
    """Adds what quantisation-aware training tracks; a pattern of the section that names no layer."""
    quantisation: Any = built.recipe.quantisation
    if quantisation is None:
        return []
    try:
        quantisation.declare(root)
    except Misfit as misfit:
        path: Path = ("quantisation", *parse_path(misfit.field))
        return [problem_at(tree.nearest(path)[1], path, "E0503", misfit.message, misfit.hint)]
    return []


def _check_strategy(tree: Node, built: Built, root: Declaration) -> list[Problem]:
    """What the devices of the recipe cannot do with its model."""
    strategy: Any = getattr(built.recipe.training, "strategy", None)
    if strategy is None:
        return []
    problems = ProblemList()
    try:
        for keys, message, hint in strategy.check_model(built.recipe, root):
            found, node = tree.nearest(("training", "strategy", *keys))
            problems.append(problem_at(node, found, "E0401", message, hint, at_key=len(keys) > 1))
    except Misfit as misfit:
        problems.append(locate(misfit, root, tree, built))
    return list(problems)


def locate(misfit: Misfit, root: Declaration, tree: Node, built: Built, code: str = "E0501") -> Problem:
    """The recipe line of the deepest written component on the way to a misfit."""
    where = built.by_identity()
    path: Path = ("task",)
    for component in _components_on(root, misfit.path):
        path = where.get(id(component), path)
    full = (*path, *parse_path(misfit.field)) if misfit.field else path
    found, node = tree.nearest(full)
    return problem_at(node, full, code, misfit.message, misfit.hint, at_key=found != full)


def _components_on(root: Declaration, path: str) -> list[Component]:
    """The components of the declared nodes from the root down to a path."""
    found, node = [root.component], root
    for key in path.split(".") if path else []:
        if isinstance(node, list) and int(key) >= len(node):
            break  # the item that could not be declared
        below: Any = node.children.get(key) if isinstance(node, Declaration) else node[int(key)]
        if below is None:
            break
        node = below
        if isinstance(node, Declaration):
            found.append(node.component)
    return found
