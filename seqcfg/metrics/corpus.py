"""Checks and shapes that metrics over whole corpora share."""

from __future__ import annotations

from seqcfg.errors import UserError


def check_sizes(hypotheses: list[str], references: list[list[str]]) -> None:
    """Raises UserError when there are no hypotheses, or not one entry of references for each of them."""
    if not hypotheses:
        raise UserError("there is nothing to measure: the corpus has no lines", hint="check the split that is evaluated")
    if len(hypotheses) != len(references):
        raise UserError(
            f"{len(hypotheses)} hypotheses are compared with {len(references)} references",
            hint="both need one entry per line of the corpus",
        )


def columns_of(references: list[list[str]]) -> list[list[str]]:
    """References by number instead of by line, as sacreBLEU takes them; lines may have different numbers of references."""
    most = max(len(texts) for texts in references)
    return [[texts[number] if number < len(texts) else texts[0] for texts in references] for number in range(most)]
