"""Reading a run at a glance: only what the catalogue shows, and without parsing what it does not."""

from __future__ import annotations

import datetime
import json
import math
import re
from pathlib import Path
from typing import Any

from seqcfg.errors import UserError
from seqcfg.recipe import migrations
from seqcfg.recipe.read import read_text
from seqcfg.runs import evaluations
from seqcfg.runs.directory import RESOLVED
from seqcfg.runs.history import is_number

BLOCK = r"^{}:.*\n(?:[ -].*\n)*"  # a section of resolved.yaml, which is written by us


def newer_version(text: str) -> str:
    """What is wrong with a recipe of a later version of the language; empty where it is of this one or an earlier."""
    found = re.search(r"^recipe_version: *(\d+)", text, re.MULTILINE)
    version, current = int(found[1]) if found else 0, migrations.current_version()
    return f"its recipe is of version {version}; this seqcfg reads {current}" if version > current else ""


def section(text: str, key: str, folder: Path) -> dict[str, Any]:
    """One section of a resolved recipe, without reading the others."""
    found = re.search(BLOCK.format(key), text, re.MULTILINE)
    value = read_text(found[0], str(folder / RESOLVED)).plain().get(key) if found else None
    if value is not None and not isinstance(value, dict):
        raise UserError(f"{folder / RESOLVED}: {key} is not a section")
    return value or {}


def name_in(text: str) -> str:
    """The recipe's name; empty where it has none."""
    found = re.search(r"^name: *(\S+)", text, re.MULTILINE)
    return found[1].strip("'\"") if found else ""


def last_records(path: Path, metric: str) -> tuple[int, list[tuple[float, int]], float | None, int]:
    """(last step, [(value of the metric, step)], newest speed, times that it went back); only lines that tell one of these are read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return 0, [], None, 0
    lines = content.split(b"\n")[:-1]
    points = []
    for number, line in enumerate(lines, 1):
        if b'"validation"' in line:
            record = _record(line, path, number)
            if is_number(record.get(metric)):
                points.append((float(record[metric]), record["step"]))
    last = _record(lines[-1], path, len(lines)) if lines else {"step": 0}
    newest = next((number for number in range(len(lines), 0, -1) if b'"train"' in lines[number - 1]), 0)
    speed = _record(lines[newest - 1], path, newest).get("tokens_per_second") if newest else None
    rollbacks = sum(b'"rolled_back"' in line for line in lines)
    return last["step"], points, float(speed) if is_number(speed) and speed is not None else None, rollbacks


def _record(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
        if not isinstance(record["step"], int):
            raise ValueError("its step is no number")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}:{number}: not a record: {error}") from error
    return record


def evaluated(folder: Path) -> dict[str, float]:
    """{"<split>/<metric>": value}, later steps last."""
    found: dict[str, float] = {}
    for one in sorted(evaluations.find(folder), key=lambda one: not one.name):  # those that were given a name first
        for name, score in one.scores.items():
            if is_number(score.get("value"), False) and not math.isnan(score["value"]):
                found[f"{one.split}/{name}"] = float(score["value"])
    return found


def seconds_of(attempt: Any) -> float:
    """How long an attempt took; 0 where nobody knows."""
    try:
        begun, done = (datetime.datetime.fromisoformat(text) for text in (attempt.started, attempt.finished))
        return max(0.0, (done - begun).total_seconds())
    except ValueError:
        return 0.0  # killed: nobody knows when
