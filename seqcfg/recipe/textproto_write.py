"""Writing values in the protobuf text form of seqcfg.v1.Recipe; needs no protobuf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.recipe.read import CONTROL
from seqcfg.recipe.write import escaped

HEADER = "# proto-file: seqcfg/v1/recipe.proto\n# proto-message: seqcfg.v1.Recipe\n"
ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def to_textproto(recipe: dict[str, Any]) -> str:
    """The text form of a plain recipe; reads back as the same recipe."""
    return HEADER + "\n".join(_fields(escaped(recipe), "")) + "\n"


def _fields(mapping: dict[str, Any], indent: str) -> Iterator[str]:
    for key, value in mapping.items():
        yield f"{indent}fields {{"
        yield f"{indent}  key: {quoted(key)}"
        yield from _value("value", value, f"{indent}  ")
        yield f"{indent}}}"


def _value(name: str, value: Any, indent: str) -> Iterator[str]:
    if not isinstance(value, dict | list) or not value:
        yield f"{indent}{name} {{ {_leaf(value)} }}"
        return
    yield f"{indent}{name} {{"
    yield f"{indent}  {'mapping' if isinstance(value, dict) else 'list'} {{"
    if isinstance(value, dict):
        yield from _fields(value, f"{indent}    ")
    else:
        for item in value:
            yield from _value("items", item, f"{indent}    ")
    yield f"{indent}  }}"
    yield f"{indent}}}"


def _leaf(value: Any) -> str:
    if value is None:
        return "null: true"
    if isinstance(value, bool):
        return f"boolean: {'true' if value else 'false'}"
    if isinstance(value, int):
        return f"integer: {value}"
    if isinstance(value, float):
        return f"number: {value!r}"
    if isinstance(value, str):
        return f"text: {quoted(value)}"
    return "mapping {}" if isinstance(value, dict) else "list {}"


def quoted(text: str) -> str:
    """A text in quotes; what no editor shows is written as octal bytes."""
    return '"' + "".join(_character(character) for character in text) + '"'


def _character(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    if CONTROL.match(character):
        return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogatepass"))
    return character
