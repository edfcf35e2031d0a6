"""Settings of another system: flat keys with their lines, and an account of what became of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from seqcfg.errors import Problem, UserError


class Entry(NamedTuple):
    """A value and the line it stands in, counted from 1."""

    value: Any
    line: int


class Remark(NamedTuple):
    """A key that was not carried over as it is, and why."""

    file: str
    line: int
    key: str
    why: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.why}"


class Foreign:
    """`entries` maps dotted keys to what the file says; `defaults` holds what the other system fills in by itself."""

    def __init__(self, file: str, entries: dict[str, Entry], defaults: dict[str, Any] | None = None):
        self.file, self.entries, self.defaults = file, entries, defaults or {}
        self._remarks: list[Remark] = []
        self._read: set[str] = set()

    def has(self, key: str) -> bool:
        """Whether the key, or one below it, has a value of its own or by default."""
        below = f"{key}."
        return any(k == key or k.startswith(below) for known in (self.entries, self.defaults) for k in known)

    def get(self, key: str, default: Any = None) -> Any:
        """The value as written, else the other system's default, else `default`; the key then counts as carried over."""
        self._read.add(key)
        if key in self.entries:
            value = self.entries[key].value
            return default if value is None else value
        return self.defaults.get(key, default)

    def number(self, key: str, default: Any = None) -> Any:
        """As `get`, but raises UserError for what is not a number."""
        value = self.get(key, default)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise self.error(key, f"{value!r} is not a number", "correct it, or remove the line")
        return value

    def count(self, key: str, default: Any = None) -> Any:
        """As `get`, but raises UserError for what is not a whole number."""
        value = self.number(key, default)
        if value is not None and value != int(value):
            raise self.error(key, f"{value!r} is not a whole number", "correct it, or remove the line")
        return None if value is None else int(value)

    def class_name(self, key: str, default: str) -> str:
        """The last part of a value such as `type/lingvo.core.layers/EmbeddingLayer`."""
        return str(self.get(key, default)).split("/")[-1]

    def error(self, key: str, message: str, hint: str) -> UserError:
        return UserError(problems=(Problem(message=message, hint=hint, path=key, file=self.file, line=self.line(key)),))

    def remark(self, key: str, why: str) -> None:
        """Notes that the key was not carried over as it is."""
        self._read.add(key)
        self._remarks.append(Remark(self.file, self.line(key), key, why))

    def line(self, key: str) -> int:
        return self.entries[key].line if key in self.entries else 0

    def remarks(self) -> list[Remark]:
        """All remarks in line order."""
        return sorted(self._remarks, key=lambda remark: (remark.line, remark.key))

    def asked(self) -> set[str]:
        """The keys that have been asked for, whether they were there or not."""
        return set(self._read)

    def unread(self) -> Iterator[tuple[str, Any]]:
        """The keys of the file that nothing has asked for, with their values."""
        for key, entry in self.entries.items():
            if key not in self._read:
                yield key, entry.value


def recipe_name(file: str) -> str:
    """A recipe's name made of a file's."""
    stem = re.sub(r"\.params$", "", Path(file).stem)
    return re.sub(r"[^A-Za-z0-9._-]+", "_", stem).lstrip("._-")[:64] or "imported"
