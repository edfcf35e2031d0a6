"""Reading a recipe's text into nodes that know their position.

The text is parsed by PyYAML into events only; values are made here, so that nothing in a file can run code, refer to
other parts of itself, hang or crash the reader, and every message has a line and a column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import yaml

from seqcfg.errors import Problem, RecipeError
from seqcfg.recipe import scalars
from seqcfg.recipe.limits import MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_SCALAR
from seqcfg.recipe.node import Node, Path, Place, text_path
from seqcfg.recipe.syntax import blamed_mark, explain_syntax

PROTO_SUFFIXES = (".textproto", ".txtpb")
PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TABS = re.compile(r"^\t+", re.MULTILINE)
CONFLICT = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]|\r(?!\n)")  # U+2028: a line end for some


def read_file(file: str, *, how: str = "recipe", rank: int = 0) -> Node:
    """The mapping in a recipe file; raises RecipeError with the position of what is wrong."""
    try:
        with FilePath(file).open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _error(Place(file), "E0101", "there is no such file") from None
    except IsADirectoryError:
        raise _error(Place(file), "E0101", "is a folder, not a recipe") from None
    except (OSError, ValueError) as failure:
        raise _error(Place(file), "E0101", f"cannot be read: {getattr(failure, 'strerror', None) or failure}") from None
    text = decode(data, file)
    if FilePath(file).suffix in PROTO_SUFFIXES:
        from seqcfg.recipe.textproto_read import read_textproto

        refuse_characters(text, file)
        return read_textproto(text, file, how=how, rank=rank)
    node = read_text(text, file, how=how, rank=rank)
    if not node.is_mapping:
        raise _error(node.place, "E0109", "a recipe is a mapping of keys to values", "the first line of a recipe is 'recipe_version: 1'")
    return node


def decode(data: bytes, file: str) -> str:
    """The text of a recipe file; refuses what is too large, not UTF-8, or holds characters no editor shows."""
    if len(data) > MAX_BYTES:
        raise _error(Place(file), "E0102", f"is larger than {MAX_BYTES} bytes", "a recipe holds settings; data stands in files of its own")
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _error(Place(file, 1, 1), "E0103", "starts with a byte order mark", "save the file as UTF-8 without BOM")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as failure:
        before = data[: failure.start].decode("utf-8", "replace")
        raise _error(
            _place_at(file, before, len(before)), "E0104", f"byte 0x{data[failure.start]:02x} is not valid UTF-8", "save the file as UTF-8"
        ) from None
    return text.replace("\r\n", "\n")


def read_text(text: str, file: str, *, how: str = "recipe", rank: int = 0) -> Node:
    """The one YAML or JSON document in `text` as nodes; `file` is the name shown in messages."""
    refuse_characters(text, file)
    text = without_tabs(text)
    composer = _Composer(text, file, how, rank)
    try:
        return composer.document()
    except yaml.MarkedYAMLError as failure:
        mark = blamed_mark(failure)
        code, message, hint = explain_syntax(failure, text)
        raise _error(Place(file, mark.line + 1, mark.column + 1) if mark else Place(file), code, message, hint) from None
    except yaml.YAMLError as failure:
        raise _error(Place(file), "E0119", f"is not YAML: {failure}") from None


def without_tabs(text: str) -> str:
    """The text, with blanks for tabs at the beginning of lines if it is JSON, which may be indented by them."""
    return TABS.sub(lambda tabs: " " * len(tabs[0]), text) if text.lstrip().startswith("{") else text


def refuse_characters(text: str, file: str) -> None:
    """Raises RecipeError for control characters and the marks of a merge conflict."""
    if found := CONTROL.search(text):
        name = "NUL byte" if found[0] == "\0" else f"control character U+{ord(found[0]):04X}"
        raise _error(_place_at(file, text, found.start()), "E0105", f"{name} in the text", "remove it")
    if found := CONFLICT.search(text):
        raise _error(
            _place_at(file, text, found.start()),
            "E0106",
            "a merge conflict was left in the file",
            "keep one side and remove the marker lines",
        )


class _Composer:
    """Turns parser events into nodes, within limits."""

    def __init__(self, text: str, file: str, how: str, rank: int):
        self.events: Iterator[Any] = yaml.parse(text, Loader=PARSER)
        self.file, self.how, self.rank, self.count = file, how, rank, 0

    def document(self) -> Node:
        next(self.events)  # start of the stream
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            raise _error(Place(self.file, 1, 1), "E0108", "is empty", "the first line of a recipe is 'recipe_version: 1'")
        if event.version or event.tags:
            raise self.error(event, (), "E0120", "a recipe has no % directives", "remove the line")
        node = self.node(next(self.events), ())
        next(self.events)  # end of the document
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self.error(event, (), "E0121", "a second document starts here", "one file holds one recipe; remove '---'")
        return node

    def node(self, event: Any, path: Path) -> Node:
        self.refuse(event, path)
        if isinstance(event, yaml.ScalarEvent):
            value = self.scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self.items(path)
        else:
            value = self.mapping(path)
        return Node(value, self.place(event), how=self.how, rank=self.rank)

    def items(self, path: Path) -> list[Node]:
        nodes: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            nodes.append(self.node(event, (*path, len(nodes))))
        return nodes

    def mapping(self, path: Path) -> dict[str, Node]:
        nodes: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event, path)
            if key in nodes:
                first = nodes[key].key_place
                raise self.error(
                    event, (*path, key), "E0107", "key appears twice", f"the first one is at line {first.line if first else 0}"
                )
            nodes[key] = self.node(next(self.events), (*path, key))
            nodes[key].key_place = self.place(event)
        return nodes

    def key(self, event: Any, path: Path) -> str:
        self.refuse(event, path)
        if not isinstance(event, yaml.ScalarEvent) or not event.value or (event.implicit[0] and event.value == "~"):
            raise self.error(event, path, "E0122", "a key must be a word")
        if event.implicit[0] and event.value == "<<":
            raise self.error(
                event,
                path,
                "E0123",
                "merge keys are not used in recipes",
                "name the recipe to start from in 'base:', or give values names in 'vars:'",
            )
        return event.value

    def scalar(self, event: Any, path: Path) -> Any:
        if len(event.value) > MAX_SCALAR:
            raise self.error(event, path, "E0127", f"a text of {len(event.value)} characters; the limit is {MAX_SCALAR}")
        if "\0" in event.value:
            raise self.error(event, path, "E0105", "NUL character in a text", "remove it")
        if not event.implicit[0]:
            return event.value
        try:
            return scalars.resolve(event.value)
        except ValueError as failure:
            raise self.error(event, path, "E0128", str(failure), "quote it if it is meant as text") from None

    def refuse(self, event: Any, path: Path) -> None:
        self.count += 1
        if self.count > MAX_NODES:
            raise self.error(event, (), "E0129", f"more than {MAX_NODES} values")
        if len(path) > MAX_DEPTH:
            raise self.error(event, path[:3], "E0130", f"is nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            hint = "give the value a name in 'vars:' and write \"${vars.name}\"; quote a text that starts with *"
            raise self.error(event, path, "E0124", f"aliases (*{str(event.anchor)[:40]}) are not used in recipes", hint)
        if event.anchor is not None:
            hint = "give the value a name in 'vars:' and write \"${vars.name}\"; quote a text that starts with &"
            raise self.error(event, path, "E0125", f"anchors (&{str(event.anchor)[:40]}) are not used in recipes", hint)
        if event.tag is not None:
            raise self.error(
                event, path, "E0126", f"tags ({str(event.tag)[:60]}) are not used in recipes", "remove it; quote a text that starts with !"
            )

    def place(self, event: Any) -> Place:
        return Place(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def error(self, event: Any, path: Path, code: str, message: str, hint: str = "") -> RecipeError:
        return _error(self.place(event), code, message, hint, path)


def _place_at(file: str, text: str, index: int) -> Place:
    return Place(file, text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1)


def _error(place: Place, code: str, message: str, hint: str = "", path: Path = ()) -> RecipeError:
    problem = Problem(message=message, hint=hint, path=text_path(path), file=place.file, line=place.line, column=place.column, code=code)
    return RecipeError([problem])
