"""Problems as SARIF 2.1.0 (OASIS), which code hosts show on the lines of a pull request."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

import seqcfg
from seqcfg.errors import Problem
from seqcfg.recipe.codes import codes

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_sarif(problems: Iterable[Problem]) -> str:
    """One run with a rule for each code that occurs; paths are written as given, so run it from the repository's root."""
    problems = list(problems)
    used = sorted({problem.code for problem in problems if problem.code})
    driver = {"name": "seqcfg", "version": seqcfg.__version__, "rules": [_rule(number) for number in used]}
    results = [_result(problem, used) for problem in problems]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(number: str) -> dict[str, Any]:
    code = codes()[number]
    help_text = f"{code.what} To mend it: {code.remedy}"
    return {"id": number, "shortDescription": {"text": code.title}, "help": {"text": help_text}}


def _result(problem: Problem, used: list[str]) -> dict[str, Any]:
    text = ": ".join(part for part in (problem.path, problem.message) if part) + (f" ({problem.hint})" if problem.hint else "")
    result: dict[str, Any] = {"level": "error", "message": {"text": text}}
    if problem.code:
        result |= {"ruleId": problem.code, "ruleIndex": used.index(problem.code)}
    if problem.file:
        place: dict[str, Any] = {"artifactLocation": {"uri": _uri(problem.file)}}
        if problem.line:
            place["region"] = {"startLine": problem.line, "startColumn": max(1, problem.column)}
        result["locations"] = [{"physicalLocation": place}]
    if problem.named_in:
        file, line, column = problem.named_in.rsplit(":", 2)
        region = {"startLine": int(line), "startColumn": int(column)}
        place = {"artifactLocation": {"uri": _uri(file)}, "region": region}
        result["relatedLocations"] = [{"id": 1, "message": {"text": "named as base here"}, "physicalLocation": place}]
    return result


def _uri(file: str) -> str:
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
