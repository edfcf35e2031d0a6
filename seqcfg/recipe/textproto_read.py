"""Reading the protobuf text form of seqcfg.v1.Recipe into nodes that know their position.

It is read here and not by protobuf, whose parser forgets where values stand. Accepted is what the text format allows for
this message, but for `<>` as brackets, short lists in `[]` and extensions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from seqcfg.errors import Problem, RecipeError
from seqcfg.recipe.limits import MAX_DEPTH, MAX_NODES, MAX_SCALAR
from seqcfg.recipe.node import Node, Path, Place, text_path
from seqcfg.recipe.scalars import LARGEST

TOKEN = re.compile(
    r"""(?P<blank>[ \t\n\r]+|\#[^\n]*)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>[-+]?[.0-9][-+.0-9A-Za-z]*|-[a-zA-Z]+)"""
    r"""|(?P<text>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')|(?P<mark>[{}:;,])"""
)
ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "?": "?", "\\": "\\", "'": "'", '"': '"'}
INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"-?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?[fF]?")
SPECIAL = re.compile(r"-?(inf|infinity|nan)", re.IGNORECASE)
WORDS: dict[str, dict[str, bool | None]] = {"null": {"true": None}, "boolean": {"true": True, "false": False}}
HINT = "'seqcfg show --format textproto' writes this form"


class Token(NamedTuple):
    """A word of the text; `kind` is name, number, text, mark or end."""

    kind: str
    text: str
    place: Place


def read_textproto(text: str, file: str, *, how: str = "recipe", rank: int = 0) -> Node:
    """The recipe in `text` as a mapping of nodes; raises RecipeError with the position of what is wrong."""
    return _Reader(text, file, how, rank).document()


class _Reader:
    def __init__(self, text: str, file: str, how: str, rank: int):
        self.file, self.how, self.rank, self.count = file, how, rank, 0
        self.tokens = self.split(text)
        self.token = next(self.tokens)

    def split(self, text: str) -> Iterator[Token]:
        at, line, start = 0, 1, 0
        while at < len(text):
            place = Place(self.file, line, at - start + 1)
            match = TOKEN.match(text, at)
            if match is None:
                raise error(place, (), "E0131", f"{text[at]!r} has no place here", HINT)
            if match.lastgroup != "blank":
                yield Token(str(match.lastgroup), match[0], place)
            at = match.end()
            if breaks := match[0].count("\n"):
                line, start = line + breaks, match.start() + match[0].rfind("\n") + 1
        yield Token("end", "", Place(self.file, line, at - start + 1))

    def document(self) -> Node:
        value = self.fields("", ())
        return Node(value, Place(self.file, 1, 1), how=self.how, rank=self.rank)

    def fields(self, end: str, path: Path) -> dict[str, Node]:
        """`fields { key value }` up to the closing bracket."""
        nodes: dict[str, Node] = {}
        while not self.is_next(end):
            self.expect_name("fields", path)
            key, place, value = self.field(path)
            if key in nodes:
                first = nodes[key].key_place
                raise error(place, (*path, key), "E0107", "key appears twice", f"the first one is at line {first.line if first else 0}")
            nodes[key] = value
            value.key_place = place
        return nodes

    def field(self, path: Path) -> tuple[str, Place, Node]:
        opened = self.open(path)
        key: str | None = None
        place, value = opened, None
        while not self.is_next("}"):
            name = self.take("name", path)
            if name.text == "key" and key is None:
                self.expect(":", path)
                place, key = self.token.place, self.string(path)
            elif name.text == "value" and value is None:
                value = self.value((*path, key or "?"))
            else:
                raise error(name.place, path, "E0131", f"{name.text!r} has no place here", "a field has one key and one value")
        if not key or value is None:
            raise error(opened, path, "E0131", "a field needs a key and a value", HINT)
        return key, place, value

    def value(self, path: Path) -> Node:
        self.count += 1
        opened = self.open(path)
        if self.count > MAX_NODES:
            raise error(opened, (), "E0129", f"more than {MAX_NODES} values")
        if len(path) > MAX_DEPTH:
            raise error(opened, path[:3], "E0130", f"is nested more than {MAX_DEPTH} levels deep")
        name = self.take("name", path)
        if name.text in ("mapping", "list"):
            self.open(path)
            plain: Any = self.fields("}", path) if name.text == "mapping" else self.items(path)
            place = name.place
        else:
            self.expect(":", path)
            place, plain = self.token.place, self.scalar(name, path)
        if not self.is_next("}"):
            raise error(self.token.place, path, "E0131", "a value is one thing", HINT)
        return Node(plain, place, how=self.how, rank=self.rank)

    def items(self, path: Path) -> list[Node]:
        nodes: list[Node] = []
        while not self.is_next("}"):
            self.expect_name("items", path)
            nodes.append(self.value((*path, len(nodes))))
        return nodes

    def scalar(self, name: Token, path: Path) -> Any:
        if name.text == "text":
            return self.string(path)
        token = self.take("name" if name.text in ("null", "boolean") or self.token.kind == "name" else "number", path)
        if name.text in ("integer", "number"):
            return number(name.text, token, path)
        words = WORDS.get(name.text)
        if words is None:
            raise error(name.place, path, "E0131", f"{name.text!r} is no kind of value", HINT)
        if token.text not in words:
            raise error(token.place, path, "E0131", f"{token.text!r} should be {' or '.join(words)}", HINT)
        return words[token.text]

    def string(self, path: Path) -> str:
        """One or several quoted texts, which are joined."""
        first = self.token
        parts = [unescape(self.take("text", path), path)]
        while self.token.kind == "text":
            parts.append(unescape(self.take("text", path), path))
        try:
            text = b"".join(parts).decode("utf-8")
        except UnicodeDecodeError:
            raise error(first.place, path, "E0104", "the text is not valid UTF-8", "write it without escapes") from None
        if "\0" in text:
            raise error(first.place, path, "E0105", "NUL character in a text", "remove it")
        if len(text) > MAX_SCALAR:
            raise error(first.place, path, "E0127", f"a text of {len(text)} characters; the limit is {MAX_SCALAR}")
        return text

    def advance(self, is_end: bool = False) -> None:
        """On to the next token; behind the end of something, over a separator."""
        self.token = next(self.tokens)
        if is_end and self.token.kind == "mark" and self.token.text in (";", ","):
            self.token = next(self.tokens)

    def is_next(self, mark: str) -> bool:
        """Whether the next token closes; it is taken then, with a separator behind it."""
        is_closing = self.token.kind in ("mark", "end") and self.token.text == mark
        if is_closing and mark:
            self.advance(is_end=True)
        return is_closing

    def open(self, path: Path) -> Place:
        if self.token.kind == "mark" and self.token.text == ":":
            self.advance()
        return self.expect("{", path)

    def expect(self, mark: str, path: Path) -> Place:
        token = self.take("mark", path)
        if token.text != mark:
            raise error(token.place, path, "E0131", f"{token.text!r} where {mark!r} is expected", HINT)
        return token.place

    def expect_name(self, name: str, path: Path) -> None:
        token = self.take("name", path)
        if token.text != name:
            raise error(token.place, path, "E0131", f"{token.text!r} where {name!r} is expected", HINT)

    def take(self, kind: str, path: Path) -> Token:
        token = self.token
        if token.kind != kind:
            shown = repr(token.text) if token.text else "the end of the file"
            raise error(token.place, path, "E0131", f"{shown} where a {kind} is expected", HINT)
        self.advance(is_end=kind != "mark")
        return token


def number(kind: str, token: Token, path: Path) -> int | float:
    """An `integer` or a `number`; raises RecipeError for what a recipe cannot hold."""
    text = token.text
    if SPECIAL.fullmatch(text):
        raise error(token.place, path, "E0128", f"{text} is not a number that a recipe can hold")
    if kind == "integer" and INTEGER.fullmatch(text):
        value = int(text) if len(text) <= 20 else LARGEST + 1
        if abs(value) > LARGEST:
            raise error(token.place, path, "E0128", f"a whole number is too large; the largest is {LARGEST}")
        return value
    if kind == "number" and NUMBER.fullmatch(text):
        real = float(text.rstrip("fF")) if len(text) <= 400 else math.inf
        if math.isinf(real):
            raise error(token.place, path, "E0128", "the number is too large")
        return real
    raise error(token.place, path, "E0131", f"{text[:60]!r} is not {'a whole number' if kind == 'integer' else 'a number'}", HINT)


def unescape(token: Token, path: Path) -> bytes:
    """The bytes that a quoted text stands for."""

    def replace(match: re.Match[str]) -> str:
        octal, hexadecimal, short, long, simple = match.groups()
        if octal or hexadecimal:
            return chr(0xDC00 + (int(octal, 8) if octal else int(hexadecimal, 16)) % 256)  # a byte, kept apart from characters
        if short or long:
            point = int(short or long, 16)
            return chr(point) if point <= 0x10FFFF and not 0xD800 <= point < 0xE000 else chr(0xDCFF)
        if simple not in SIMPLE:
            raise error(token.place, path, "E0131", f"\\{simple} is not an escape", "write \\\\ for a backslash")
        return SIMPLE[simple]

    text = ESCAPE.sub(replace, token.text[1:-1])
    return b"".join(
        bytes([ord(character) - 0xDC00]) if 0xDC00 <= ord(character) < 0xDD00 else character.encode("utf-8") for character in text
    )


def error(place: Place, path: Path, code: str, message: str, hint: str = "") -> RecipeError:
    """One problem at a place of the text."""
    return RecipeError(
        [Problem(message=message, hint=hint, path=text_path(path), file=place.file, line=place.line, column=place.column, code=code)]
    )
