"""Asking the catalogue: columns, conditions and order over rows of runs."""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

from seqcfg.component import pages
from seqcfg.component.catalog import closest
from seqcfg.component.component import Component
from seqcfg.component.fields import fields_of
from seqcfg.errors import UserError
from seqcfg.recipe.classes import slot_at
from seqcfg.recipe.node import parse_path
from seqcfg.runs.catalogue import Listed

COLUMNS: dict[str, Callable[[Listed], Any]] = {
    "folder": lambda run: str(run.folder),
    "name": lambda run: run.name,
    "status": lambda run: run.status,
    "step": lambda run: run.step,
    "steps": lambda run: run.steps,
    "started": lambda run: run.started,
    "ended": lambda run: run.ended,
    "seconds": lambda run: run.seconds,
    "attempts": lambda run: run.attempts,
    "rollbacks": lambda run: run.rollbacks,
    "best_metric": lambda run: run.best_metric,
    "best": lambda run: run.best,
    "best_step": lambda run: run.best_step,
    "tokens_per_second": lambda run: run.tokens_per_second,
    "tags": lambda run: ",".join(run.labels.tags),
    "note": lambda run: run.labels.note,
    "archived": lambda run: run.labels.is_archived,
    "data": lambda run: run.data,
    "model": lambda run: run.fingerprint.get("model", ""),
    "training": lambda run: run.fingerprint.get("training", ""),
    "decoding": lambda run: run.fingerprint.get("decoding", ""),
    "hardware": lambda run: run.hardware,
    "version": lambda run: run.version,
    "commit": lambda run: run.commit,
    "problem": lambda run: run.problem,
}
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
CONDITION = re.compile(r"([\w./+-]+) *(<=|>=|!=|=|<|>|~) *(.*)")
EXAMPLE = "a condition is like status=finished, bleu>=30, training.seed=2 or name~*wmt*"


@dataclasses.dataclass(frozen=True)
class Condition:
    """`column` `sign` `value`; ~ compares with a pattern of the shell, numbers compare as numbers."""

    column: str
    sign: str
    value: str

    def holds(self, found: Any) -> bool:
        """Whether a value fits; what a run does not have fits nothing but !=."""
        if found is None or found == "":
            return self.sign == "!=" and self.value != ""
        if self.sign == "~":
            return fnmatch.fnmatchcase(str(found), self.value)
        wanted, number = _number(self.value), _number(found)
        if wanted is not None and number is not None:
            return SIGNS[self.sign](number, wanted)
        if self.sign in ("=", "!="):
            return SIGNS[self.sign](_text(found), self.value)
        return SIGNS[self.sign](_text(found), self.value) if wanted is None else False


def condition(text: str) -> Condition:
    """A condition as typed; raises UserError."""
    found = CONDITION.fullmatch(text.strip())
    if not found:
        raise UserError(f"{text!r} is no condition", hint=EXAMPLE)
    return Condition(found[1], found[2], found[3].strip())


def value_of(run: Listed, column: str) -> Any:
    """What a run has under a column: one of COLUMNS, a metric (`test/bleu`, or `bleu` of any split), or a recipe path."""
    if column in COLUMNS:
        return COLUMNS[column](run)
    if column == "tag":
        return run.labels.tags
    metrics = [name for name in run.metrics if name == column or name.rpartition("/")[2] == column]
    if metrics:
        return run.metrics[metrics[-1]]
    return _in_recipe(run, column) if "." in column else None


def select(runs: Iterable[Listed], conditions: Iterable[Condition] = (), tags: Iterable[str] = (), since: str = "") -> list[Listed]:
    """The runs that fit all conditions and have all tags; `since` is a date, or an age such as 12h, 7d or 2w."""
    runs, conditions, wanted, earliest = list(runs), list(conditions), set(tags), moment(since) if since else ""
    for one in conditions:
        check_column(one.column, runs)
    return [
        run
        for run in runs
        if all(one.holds(value_of(run, one.column)) for one in conditions)
        and wanted <= set(run.labels.tags)
        and (not earliest or max(run.started, run.ended) >= earliest)
    ]


def ordered(runs: Iterable[Listed], keys: Iterable[str]) -> list[Listed]:
    """By the first key, then the next; `-key` is descending. Runs without a value come last either way."""
    runs = list(runs)
    for key in reversed(list(keys)):
        column, is_descending = key.removeprefix("-"), key.startswith("-")
        check_column(column, runs)
        known = [run for run in runs if value_of(run, column) not in (None, "")]
        unknown = [run for run in runs if value_of(run, column) in (None, "")]
        runs = sorted(known, key=lambda run: _sortable(value_of(run, column)), reverse=is_descending) + unknown
    return runs


def check_column(column: str, runs: list[Listed]) -> None:
    """Raises UserError for a column that no run has: a typing error would select nothing without a word."""
    if column in COLUMNS or column == "tag" or any(value_of(run, column) is not None for run in runs):
        return
    metrics = dict.fromkeys(name for run in runs for name in (*run.metrics, *(one.rpartition("/")[2] for one in run.metrics)))
    if "." not in column and runs:
        known = [*COLUMNS, *metrics]
        hint = closest(column, known) or f"there are {', '.join(known)}, and recipe paths such as training.seed"
        raise UserError(f"no run has a column {column!r}", hint=hint)


def changed_columns(runs: Iterable[Listed]) -> list[str]:
    """Recipe paths whose values differ among these runs, in the order of the recipe; what is left out everywhere is not among them."""
    flat = [dict(_flat(run.recipe, ())) for run in runs if run.is_whole]
    paths = dict.fromkeys(path for one in flat for path in one)
    return [path for path in paths if path not in ("name", "about") and len({repr(one.get(path)) for one in flat}) > 1]


def rows(runs: Iterable[Listed], columns: Iterable[str]) -> list[dict[str, Any]]:
    """Flat rows for tables and data frames: plain values, lists as text; None where a run has none."""
    columns = list(columns)
    return [{column: _cell(value_of(run, column)) for column in columns} for run in runs]


def all_columns(runs: Iterable[Listed]) -> list[str]:
    """Every column of COLUMNS, then every metric that some run was evaluated by."""
    return [*COLUMNS, *dict.fromkeys(name for run in runs for name in run.metrics)]


def moment(text: str) -> str:
    """An ISO time in UTC from a date, a time, or an age (90min, 12h, 7d, 2w); raises UserError."""
    units = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    if found := re.fullmatch(r"(\d+)(min|h|d|w)", text):
        age = datetime.timedelta(**{units[found[2]]: int(found[1])})
        return (datetime.datetime.now(datetime.timezone.utc) - age).isoformat(timespec="seconds")
    try:
        given = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is neither a date nor an age", hint="write 2026-01-31, or 12h, 7d, 2w") from None
    return given.replace(tzinfo=given.tzinfo or datetime.timezone.utc).astimezone(datetime.timezone.utc).isoformat(timespec="seconds")


def _in_recipe(run: Listed, column: str) -> Any:
    """The value at a recipe path, the class default where the recipe writes none; None where there is no such place."""
    try:
        path = parse_path(column)
    except ValueError:
        return None
    found, node = run.tree.nearest(path)
    if found == path:
        return node.plain()
    owner = slot_at(run.tree, path)[1]
    field = fields_of(owner).get(str(path[-1])) if owner is not None and run.is_whole else None
    if field is None or field.is_required:
        return None
    value = field.default_value()
    return pages.value_words(value) if isinstance(value, Component) else value


def _flat(value: Any, path: tuple[str, ...]):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, (*path, str(key)))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _flat(item, (*path, str(index)))
    else:
        yield ".".join(path), value


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(_text, value))
    return "" if value is None else str(value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _sortable(value: Any) -> tuple[int, float, str]:
    number = _number(value)
    return (0, number, "") if number is not None else (1, 0.0, _text(value))
