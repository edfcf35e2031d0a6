"""Holding plain values against the flat schemas of components: the keywords of JSON Schema draft-07 that `rules` may use.

A general validator takes a third of the time of checking a recipe and longer to import than a recipe takes to check.
A test holds this one to the same verdicts as jsonschema, but that 1e300 is no whole number here.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

Path = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True)
class Violation:
    """One keyword that a value breaks; `rule` is what the schema asks, `context` the violations of each form of an anyOf."""

    keyword: str
    rule: Any
    schema: dict[str, Any]
    value: Any
    path: Path = ()
    context: tuple[Violation, ...] = ()


def violations(schema: dict[str, Any], value: Any, path: Path = ()) -> Iterator[Violation]:
    """Every keyword of a schema that the value breaks; raises KeyError for a keyword that recipes do not have."""
    for keyword, rule in schema.items():
        if keyword in SIMPLE:
            if not SIMPLE[keyword](value, rule):
                yield Violation(keyword, rule, schema, value, path)
        else:
            yield from NESTED[keyword](rule, schema, value, path)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


IS_TYPE: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or (value.is_integer() and abs(value) < 2**63)),
}


def _is_same(value: Any, wanted: Any) -> bool:
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def _is_multiple(value: float, rule: float) -> bool:
    quotient = value / rule
    return math.isfinite(quotient) and quotient == int(quotient)


SIMPLE: dict[str, Callable[[Any, Any], bool]] = {
    "type": lambda value, rule: IS_TYPE[rule](value),
    "enum": lambda value, rule: any(_is_same(value, choice) for choice in rule),
    "const": _is_same,
    "minimum": lambda value, rule: not _is_number(value) or value >= rule,
    "maximum": lambda value, rule: not _is_number(value) or value <= rule,
    "exclusiveMinimum": lambda value, rule: not _is_number(value) or value > rule,
    "exclusiveMaximum": lambda value, rule: not _is_number(value) or value < rule,
    "multipleOf": lambda value, rule: not _is_number(value) or _is_multiple(value, rule),
    "pattern": lambda value, rule: not isinstance(value, str) or re.search(rule, value) is not None,
    "minLength": lambda value, rule: not isinstance(value, str) or len(value) >= rule,
    "maxLength": lambda value, rule: not isinstance(value, str) or len(value) <= rule,
    "minItems": lambda value, rule: not isinstance(value, list) or len(value) >= rule,
    "maxItems": lambda value, rule: not isinstance(value, list) or len(value) <= rule,
    "minProperties": lambda value, rule: not isinstance(value, dict) or len(value) >= rule,
    "maxProperties": lambda value, rule: not isinstance(value, dict) or len(value) <= rule,
    "required": lambda value, rule: not isinstance(value, dict) or all(key in value for key in rule),
}


def _any_of(rule: Any, schema: dict[str, Any], value: Any, path: Path) -> Iterator[Violation]:
    found: list[Violation] = []
    for part in rule:
        broken = list(violations(part, value, path))
        if not broken:
            return
        found += broken
    yield Violation("anyOf", rule, schema, value, path, tuple(found))


def _items(rule: Any, schema: dict[str, Any], value: Any, path: Path) -> Iterator[Violation]:
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from violations(rule, item, (*path, index))


def _properties(rule: Any, schema: dict[str, Any], value: Any, path: Path) -> Iterator[Violation]:
    for key, item in value.items() if isinstance(value, dict) else ():
        if key in rule:
            yield from violations(rule[key], item, (*path, key))


def _additional(rule: Any, schema: dict[str, Any], value: Any, path: Path) -> Iterator[Violation]:
    known = schema.get("properties", ())
    more = [key for key in value if key not in known] if isinstance(value, dict) else []
    if rule is False:
        if more:
            yield Violation("additionalProperties", rule, schema, value, path)
        return
    for key in more:
        yield from violations(rule, value[key], (*path, key))


NESTED: dict[str, Callable[[Any, dict[str, Any], Any, Path], Iterator[Violation]]] = {
    "anyOf": _any_of,
    "items": _items,
    "properties": _properties,
    "additionalProperties": _additional,
}
KEYWORDS = frozenset({*SIMPLE, *NESTED})
