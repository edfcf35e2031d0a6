"""Values inside nested mappings, named by dots."""

from __future__ import annotations

from typing import Any


def value_at(record: Any, key: str) -> Any:
    """The value under `a.b.c` in nested mappings, or None where there is none."""
    for part in key.split("."):
        record = record.get(part) if isinstance(record, dict) else None
    return record


def is_text(value: str) -> bool:
    """Whether UTF-8 can hold it, and it has no NUL."""
    try:
        return b"\0" not in value.encode("utf-8")
    except UnicodeEncodeError:
        return False
