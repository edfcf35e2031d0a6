"""Labels: what people say of a run: tags, a note, whether it is put away. Kept in labels.json beside the run's own files."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

from seqcfg.errors import UserError
from seqcfg.runs.durable import write_file

LABELS = "labels.json"
TAG = re.compile(r"[\w][\w.:/-]{0,63}")


@dataclasses.dataclass(frozen=True)
class Labels:
    """`is_archived` hides the run from lists; nothing of it is removed."""

    tags: tuple[str, ...] = ()
    note: str = ""
    is_archived: bool = False


def read_labels(folder: Path) -> Labels:
    """The labels of a run; none where nobody gave any. Raises UserError where the file cannot be read."""
    path = folder / LABELS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Labels(tuple(map(str, found.get("tags", []))), str(found.get("note", "")), bool(found.get("archived", False)))
    except FileNotFoundError:
        return Labels()
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{path}: cannot be read: {error}", hint="delete it to start without labels") from error


def write_labels(folder: Path, labels: Labels) -> None:
    """Replaces the labels of a run; raises UserError when they cannot be written."""
    told = {"tags": list(labels.tags), "note": labels.note, "archived": labels.is_archived}
    try:
        write_file(folder / LABELS, json.dumps(told, ensure_ascii=False, indent=1) + "\n")
    except OSError as error:
        raise UserError(f"{folder / LABELS}: {error.strerror}", hint="the run's folder must be writable") from error


def tagged(labels: Labels, add: tuple[str, ...], remove: tuple[str, ...]) -> Labels:
    """The labels with tags added at the end and taken away; raises UserError for what is no tag."""
    for tag in add:
        if not TAG.fullmatch(tag):
            raise UserError(f"{tag!r} cannot be a tag", hint="letters, digits, and . : / _ - inside; no blanks or commas")
    return dataclasses.replace(labels, tags=tuple(tag for tag in dict.fromkeys((*labels.tags, *add)) if tag not in remove))
