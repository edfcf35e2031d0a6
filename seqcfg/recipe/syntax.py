"""Plain words for what a YAML parser complains about."""

from __future__ import annotations

import re
from typing import Any

UNQUOTED_VARIABLE = re.compile(r"""(?<!["'\w])\$\{""")


def explain_syntax(failure: Any, text: str) -> tuple[str, str]:
    """(message, hint) for a parser error; the parser's own words when nothing better is known."""
    mark = failure.problem_mark or failure.context_mark
    lines = text.split("\n")
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    at = line[mark.column : mark.column + 1] if mark else ""
    problem = failure.problem or ""
    before = line[: mark.column] if mark else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or at == "\t":
        return "a tab where spaces are expected", "indent with spaces"
    if UNQUOTED_VARIABLE.search(line) and ("{" in before or "[" in before):
        return "a variable inside { } or [ ] must be quoted", 'write "${vars.name}" with the quotes'
    if "mapping values are not allowed" in problem:
        return "a second ': ' in one line, or a line that is indented too far", "quote a text that contains ': '"
    if "cannot start any token" in problem:
        return f"a text cannot start with {at!r}", "put it in quotes"
    if "unexpected end of stream" in problem and "quoted scalar" in (failure.context or ""):
        return "a quote is opened and never closed", "close the quote"
    if "could not find expected ':'" in problem:
        return "this line is neither 'key: value' nor part of the text above", "write 'key: value' with a space after the colon"
    if "did not find expected key" in problem or "expected <block end>" in problem:
        return "this line is not indented like the keys around it", "keys of one mapping start in the same column"
    if "expected ',' or" in problem:
        return "a comma or a closing bracket is missing", "close what was opened with { or ["
    if "did not find expected '-' indicator" in problem:
        return "a list item must start with '- '", "items of one list start in the same column"
    return problem or str(failure), ""
