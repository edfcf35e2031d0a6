"""Showing problems: as text with the line they are on, as JSON, as annotations of a pull request, as SARIF or JUnit."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from seqcfg.errors import Problem
from seqcfg.recipe.junit import as_junit
from seqcfg.recipe.sarif import as_sarif

MAX_EXCERPT = 160  # characters of a source line that are shown
PLAIN = dict.fromkeys(("place", "caret", "hint", "end"), "")
COLORS = {"place": "\033[1m", "caret": "\033[31m", "hint": "\033[36m", "end": "\033[0m"}  # bold, red, cyan
FORMATS = ("text", "json", "github", "sarif", "junit")


def render(results: Mapping[str, list[Problem]], format: str, colors: bool = False) -> str:
    """The problems of each recipe checked, in one of FORMATS; a problem of a shared base is shown once. Text may have colours."""
    if format == "junit":
        return as_junit(results)
    problems = list(dict.fromkeys(problem for found in results.values() for problem in found))
    if format == "text":
        return as_text(problems, colors=colors)
    return {"json": as_json, "github": as_github, "sarif": as_sarif}[format](problems)


def has_colors(stream: IO[Any]) -> bool:
    """Whether text for this stream is coloured: on terminals, unless NO_COLOR is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def as_text(problems: Iterable[Problem], *, excerpts: bool = True, colors: bool = False) -> str:
    """One block per problem: place, message, the line with a caret, the remedy."""
    return "\n".join(_block(problem, excerpts, COLORS if colors else PLAIN) for problem in problems)


def as_json(problems: Iterable[Problem]) -> str:
    """A JSON list of objects with file, line, column, path, code, message, hint, named_in."""
    names = ("file", "line", "column", "path", "code", "message", "hint", "named_in")
    return json.dumps([{name: getattr(problem, name) for name in names} for problem in problems], indent=2, ensure_ascii=False)


def as_github(problems: Iterable[Problem]) -> str:
    """Workflow commands that annotate the lines of a pull request."""
    return "\n".join(_annotation(problem) for problem in problems)


def _annotation(problem: Problem) -> str:
    places = {"file": problem.file, "line": problem.line, "col": problem.column}
    places |= {"title": problem.code}
    properties = ",".join(f"{key}={_escape(str(value), ',:')}" for key, value in places.items() if value)
    notes = "; ".join(part for part in (problem.hint, problem.named_in and f"named as base in {problem.named_in}") if part)
    text = ": ".join(part for part in (problem.path, problem.message) if part) + (f" ({notes})" if notes else "")
    return f"::error {properties}::{_escape(text)}"


def _escape(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _block(problem: Problem, excerpts: bool, colors: Mapping[str, str]) -> str:
    head = str(dataclasses.replace(problem, hint="", named_in=""))
    place = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part)
    lines = [f"{colors['place']}{place}{colors['end']}{head.removeprefix(place)}"]
    source = _source_line(problem.file, problem.line) if excerpts and problem.line else None
    if source is not None:
        line, caret = _excerpt(source, problem.line, problem.column)
        lines += [line, f"{colors['caret']}{caret}{colors['end']}"]
    if problem.named_in:
        lines.append(f"    named as base in {problem.named_in}")
    if problem.hint:
        lines.append(f"    {colors['hint']}hint: {problem.hint}{colors['end']}")
    return "\n".join(lines)


def _excerpt(source: str, line: int, column: int) -> list[str]:
    start = max(0, column - 1 - MAX_EXCERPT // 2) if len(source) > MAX_EXCERPT else 0
    shown = "".join(character if character.isprintable() else " " for character in source[start : start + MAX_EXCERPT])
    gutter = f"    {line} | "
    return [gutter + shown.rstrip(), " " * (len(gutter) - 2) + "| " + " " * max(0, column - 1 - start) + "^"]


def _source_line(file: str, line: int) -> str | None:
    lines = _lines(file)
    return lines[line - 1] if line <= len(lines) else None


@functools.lru_cache(maxsize=16)
def _lines(file: str) -> tuple[str, ...]:
    try:
        return tuple(Path(file).read_text(encoding="utf-8", errors="replace").split("\n"))
    except (OSError, ValueError):
        return ()
