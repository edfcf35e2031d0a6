"""Value: what one side says for a field, and where it says so."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from seqcfg.comparison.sides import Side
from seqcfg.component import pages
from seqcfg.component.component import Component
from seqcfg.component.fields import Field
from seqcfg.errors import RecipeError
from seqcfg.recipe.canonical import canonical
from seqcfg.recipe.node import Node, Origin, Path, parse_path, text_path
from seqcfg.recipe.read import read_file


class Absent:
    """Stands where a side has nothing: an item or key that only others have."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent()


@dataclasses.dataclass(frozen=True)
class Value:
    """`plain` is JSON (None for what is absent, too), `words` as a recipe would write it, `origin` file:line or what gave it."""

    plain: Any
    words: str
    origin: str
    is_default: bool = False
    is_absent: bool = False


def value_of(side: Side, path: Path, value: Any, field: Field | None, owner: type[Component] | None) -> Value:
    """What stands at a path of a side; `path` counts list items as this side does."""
    if isinstance(value, Absent):
        return Value(None, "absent", "", is_absent=True)
    is_default = field is not None and not field.is_required and plain(field.default_value()) == plain(value)
    return Value(plain(value), words(value), origin(side, path, owner), is_default)


def plain(value: Any) -> Any:
    """A value of a built recipe as JSON."""
    if isinstance(value, Component):
        return canonical(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def words(value: Any) -> str:
    """A value as a recipe would write it, without fields that stand at their defaults; a lone type by its name."""
    if isinstance(value, Component):
        text = pages.value_words(value)
        return value.type if text == f"{{type: {value.type}}}" else text
    return "absent" if isinstance(value, Absent) else pages.value_words(value)


def origin(side: Side, path: Path, owner: type[Component] | None = None) -> str:
    """Where a side's value was written: `file:line`, an option of the command line, or whose default it is.

    For a run this is the recipe as its author wrote it or the command that trained it, where these say so, else what
    the run stored.
    """
    found, node = side.experiment.tree.nearest(path)
    if found != path:
        kind = f"{owner.kind} " if owner is not None and owner.kind != "section" else ""
        return f"default of {kind}{owner.type}" if owner is not None and owner.type else "default"
    if side.run is not None and (better := _as_given(side, path, node)):
        return better
    *earlier, last = node.origins()
    if earlier and earlier[-1].how == "variable":  # what is written there is ${vars.name}: the variable has the value
        last = earlier[-1]
    place = node.key_place if node.is_mapping and node.key_place else last
    return _place(side, place.file, place.line, last.how)


def _place(side: Side, file: str, line: int, how: str) -> str:
    place = f"{side.shown.get(file, file)}:{line}" if line else file
    return place if how in ("recipe", "override") else f"{place} ({how})"


def _as_given(side: Side, path: Path, node: Node) -> str:
    """The option or the line of the recipe as written that gave a run's value; empty where neither has this very value."""
    wanted, given = node.plain(), _options(side).get(text_path(path))
    if given is not None:
        return f"--set {text_path(path)}={given}"
    written = _written(side)
    if written is None or side.run is None:
        return ""
    at, there = written.nearest(path)
    if at != path or there.plain() != wanted:
        return ""
    last: Origin = there.origins()[-1]
    return f"{side.run.recipe}:{last.line}"


@functools.lru_cache(maxsize=64)
def _options_of(command: tuple[str, ...]) -> dict[str, str]:
    given = {}
    for option, value in zip(command, (*command[1:], "")):
        text = value if option == "--set" else option.removeprefix("--set=") if option.startswith("--set=") else ""
        name, equals, setting = text.partition("=")
        if equals:
            try:
                given[text_path(parse_path(name.strip()))] = setting
            except ValueError:
                continue
    return given


def _options(side: Side) -> dict[str, str]:
    attempts = side.manifest.attempts if side.manifest is not None else []
    return _options_of(tuple(attempts[-1].command)) if attempts else {}


def _written(side: Side) -> Node | None:
    """The recipe as written, which no command needs to be whole."""
    if side.run is None or not side.run.recipe.is_file():
        return None
    try:
        return read_file(str(side.run.recipe))
    except RecipeError:
        return None
