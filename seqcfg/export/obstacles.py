"""What is in a format's way: asked before training by `validate --target`, and before anything is written by `export`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.decoding.settings import Decoding
from seqcfg.errors import Problem, UserError
from seqcfg.plan.declaration import Misfit

Place = tuple[str, ...]  # of a field, from the recipe's top
# What decoding does beside the graph of one model.
OUTSIDE = ("ensemble", "fusion", "noisy_channel", "minimum_risk", "shortlist", "unknown_words")


def of_components(recipe: Any, declaration: Any, target: str) -> Iterator[Misfit | tuple[Place, str, str]]:
    """What layers, model and search say of themselves (`Component.obstacles`), and what no graph of one model does."""
    settings: Any = recipe.decoding or Decoding()
    seen: set[int] = set()
    for node in declaration.nodes():
        if id(node) in seen:
            continue  # shared with an earlier place
        seen.add(id(node))
        for field, message, hint in node.component.obstacles(target, settings.search.needs):
            yield node.misfit(message, hint, field)
    yield from of_decoding(recipe)
    for field, message, hint in settings.search.obstacles(target, settings.search.needs):
        yield ("decoding", "search", *([field] if field else [])), message, hint


def of_decoding(recipe: Any) -> Iterator[tuple[Place, str, str]]:
    """What other runs, or programs around the graph, take part in."""
    for field in OUTSIDE:
        if getattr(recipe.decoding, field, None):
            yield ("decoding", field), "exported graphs do not do that", f"export without it: --set decoding.{field}=null"


def refuse(exporter: Any, recipe: Any, declaration: Any) -> None:
    """Raises UserError with everything that is in the exporter's way."""
    problems = [
        Problem(message=one.message, hint=one.hint, path=one.path + (f".{one.field}" if one.field else ""))
        if isinstance(one, Misfit)
        else Problem(message=one[1], hint=one[2], path=".".join(one[0]))
        for one in exporter.obstacles_in(recipe, declaration)
    ]
    if problems:
        raise UserError(problems=tuple(problems))
