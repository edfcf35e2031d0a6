"""The error codes: for every kind of problem with a recipe what it is, an example and the remedy.

E01 reading the text · E02 putting the recipe together · E03 keys and values · E04 rules across fields · E05 widths ·
E06 plugins. A code keeps its meaning for ever; a kind of problem that is gone leaves its number unused.
"""

from __future__ import annotations

import functools
import re
import textwrap
from typing import NamedTuple

from seqcfg.component.catalog import closest
from seqcfg.errors import UserError

PATTERN = re.compile(r"[Ee][0-9]{4}")


class Code(NamedTuple):
    """One kind of problem. `example` is a piece of recipe or a command that shows it; empty where none can."""

    number: str
    title: str
    what: str
    example: str
    remedy: str


@functools.cache
def codes() -> dict[str, Code]:
    """All codes by number, in order."""
    from seqcfg.recipe import codes_composition, codes_text, codes_values

    return {code.number: code for code in sorted((*codes_text.CODES, *codes_composition.CODES, *codes_values.CODES))}


def find(number: str) -> Code:
    """The code of this number; raises UserError with the closest one."""
    number = number.upper()
    if number not in codes():
        raise UserError(f"there is no error code {number}", hint=closest(number, codes()) or f"they go from {', '.join([*codes()][::99])}")
    return codes()[number]


def as_text(code: Code) -> str:
    """The page of a code for a terminal."""
    return "\n\n".join([f"{code.number}: {code.title}", *_paragraphs(code)])


def as_markdown() -> str:
    """The error index of the documentation: every code with its page."""
    parts = ["# Error codes", INTRODUCTION]
    for code in codes().values():
        parts += [f"## {code.number}: {code.title}", *_paragraphs(code)]
    return "\n\n".join(parts) + "\n"


INTRODUCTION = "Every problem with a recipe ends with its code in brackets; `seqcfg explain E0107` prints the same page as below."


def _paragraphs(code: Code) -> list[str]:
    example = ["For example:", textwrap.indent(code.example, "    ")] if code.example else []
    return [code.what, *example, f"To mend it: {code.remedy}"]
