"""Plain words for what a YAML parser complains about."""

from __future__ import annotations

import re
from typing import Any

UNQUOTED_VARIABLE = re.compile(r"""(?<!["'\w])\$\{""")


def blamed_mark(failure: Any) -> Any:
    """Where the mistake is: an open quote or a word without colon at its beginning, else where the parser stopped."""
    is_quote = "quoted scalar" in (failure.context or "") and "end of stream" in (failure.problem or "")
    is_word = "simple key" in (failure.context or "")
    return failure.context_mark if is_quote or is_word or failure.problem_mark is None else failure.problem_mark


def explain_syntax(failure: Any, text: str) -> tuple[str, str, str]:
    """(code, message, hint) for a parser error; the parser's own words when nothing better is known."""
    mark = blamed_mark(failure)
    lines = text.split("\n")
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    at = line[mark.column : mark.column + 1] if mark else ""
    problem = failure.problem or ""
    before = line[: mark.column] if mark else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or at == "\t":
        return "E0110", "a tab where spaces are expected", "indent with spaces"
    if UNQUOTED_VARIABLE.search(line) and ("{" in before or "[" in before):
        return "E0111", "a variable inside { } or [ ] must be quoted", 'write "${vars.name}" with the quotes'
    if "mapping values are not allowed" in problem:
        if ":" in before:
            return "E0112", "a second ': ' in one line", "quote a text that contains ': '"
        return "E0112", "this key continues the text above", "is a colon missing in the line above, or is this line indented too far?"
    if "cannot start any token" in problem:
        return "E0113", f"a text cannot start with {at!r}", "put it in quotes"
    if "unexpected end of stream" in problem and "quoted scalar" in (failure.context or ""):
        return "E0114", "a quote is opened and never closed", "close the quote"
    if "could not find expected ':'" in problem:
        return "E0115", "this line is neither 'key: value' nor part of the text above", "write 'key: value' with a space after the colon"
    if "did not find expected key" in problem or "expected <block end>" in problem:
        return "E0116", "this line is not indented like the keys around it", "keys of one mapping start in the same column"
    if "expected ',' or" in problem:
        opened = f" at line {failure.context_mark.line + 1}" if failure.context_mark else ""
        return "E0117", "a comma or a closing bracket is missing", f"close what was opened with {{ or [{opened}"
    if "did not find expected '-' indicator" in problem:
        return "E0118", "a list item must start with '- '", "items of one list start in the same column"
    if "directive" in f"{failure.context} {problem}":
        return "E0120", "a recipe has no % directives", "remove the line, or quote a text that starts with %"
    if "did not find expected node content" in problem:
        return "E0119", "a value is expected here", "write one, or remove the comma or bracket before it"
    return "E0119", problem or str(failure), ""
