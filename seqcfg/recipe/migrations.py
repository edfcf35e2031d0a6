"""The steps from each version of the recipe language to the next.

A step is added when a key or type is renamed or moved: `rewrite` makes the edits on a Draft, `Recipe.recipe_version`
and the shipped recipes go up by one, and old recipes are told to run `seqcfg migrate`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Migration(NamedTuple):
    """One step; `about` says what changes, as a sentence for the author of a recipe."""

    about: str
    rewrite: Callable[[Any], None]  # takes a seqcfg.recipe.migrate.Draft


MIGRATIONS: list[Migration] = []  # the first leads from version 1 to version 2


def current_version() -> int:
    """The version that this seqcfg reads."""
    return 1 + len(MIGRATIONS)
