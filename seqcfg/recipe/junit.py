"""Results as JUnit XML: each recipe is a test case, and fails with its problems."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from seqcfg.errors import Problem

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(results: Mapping[str, list[Problem]]) -> str:
    """A test suite of the recipes checked, by file."""
    failed = sum(bool(problems) for problems in results.values())
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites tests="{len(results)}" failures="{failed}">']
    lines.append(f'  <testsuite name="seqcfg validate" tests="{len(results)}" failures="{failed}" errors="0">')
    for file, problems in results.items():
        lines += _case(file, problems)
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"])


def _case(file: str, problems: list[Problem]) -> list[str]:
    head = f'    <testcase classname="recipe" name="{_escape(file)}"'
    if not problems:
        return [head + "/>"]
    first = _escape(problems[0].message)
    text = _escape("\n".join(map(str, problems)))
    return [head + ">", f'      <failure type="{problems[0].code}" message="{first}">{text}</failure>', "    </testcase>"]


def _escape(text: str) -> str:
    return html.escape(NOT_IN_XML.sub("?", text))
