"""Checks and shapes that metrics over whole corpora share."""

from __future__ import annotations

from typing import Any

from seqcfg.errors import UserError


def check_sizes(hypotheses: list[Any], references: list[list[str]]) -> None:
    """Raises UserError when there are no hypotheses, or not one entry of references for each of them."""
    if not hypotheses:
        raise UserError("there is nothing to measure: the corpus has no lines", hint="check the split that is evaluated")
    if len(hypotheses) != len(references):
        raise UserError(
            f"{len(hypotheses)} hypotheses are compared with {len(references)} references",
            hint="both need one entry per line of the corpus",
        )


def columns_of(references: list[list[str]]) -> list[list[str | None]]:
    """References by number instead of by line, as sacreBLEU takes them; None where a line has fewer than others."""
    most = max(len(texts) for texts in references)
    return [[texts[number] if number < len(texts) else None for texts in references] for number in range(most)]


def case_of(lowercase: bool) -> str:
    """How signatures say whether case counts."""
    return f"case:{'lc' if lowercase else 'mixed'}"


def single_spaced(text: str) -> str:
    """The text with every run of white space as one space, and none at its ends."""
    return " ".join(text.split())
