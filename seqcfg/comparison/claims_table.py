"""The table of claims, for terminals and for the README beside the recipes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from seqcfg.comparison.claims import Measurement, Row
from seqcfg.comparison.document import Cell, Table, Tone
from seqcfg.comparison.figures import number
from seqcfg.errors import UserError
from seqcfg.evaluation.claims import Outcome
from seqcfg.recipe.experiment import Experiment

README = "README.md"
BEGIN, END = "<!-- claims -->", "<!-- /claims -->"
HEADER = ["Recipe", "Parameters", "Data", "Published", "Claimed", "Measured", "When", "Hardware"]


def document(rows: list[Row]) -> Table:
    """One line for each recipe; what misses its claim is marked."""
    return Table(HEADER, [_row(row) for row in rows], frozenset({1}))


def readme_table(rows: list[Row]) -> str:
    """The table as it stands in the README, each recipe leading to its file."""
    lines = ["| " + " | ".join(HEADER) + " |", "|---|---:|---|---|---|---|---|---|"]
    for row in rows:
        name, *cells = (cell.text.replace("|", "\\|") for cell in _row(row))
        lines.append(f"| [{name}]({name}.yaml) | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def with_table(text: str, rows: list[Row], path: Path) -> str:
    """The README with the table between its marks brought up to date; raises UserError where the marks are missing."""
    if not re.search(f"^{BEGIN}$.*^{END}$", text, re.DOTALL | re.MULTILINE):
        raise UserError(f"{path}: has no place for the table", hint=f"write {BEGIN} and {END} on lines of their own where it belongs")
    head, rest = text.split(BEGIN, 1)
    return f"{head}{BEGIN}\n{readme_table(rows)}\n{END}{rest.split(END, 1)[1]}"


def claim_words(claim: Any) -> str:
    """`bleu 38.3 ± 0.8 (test)`, and what it costs."""
    tolerance = f" ± {claim.tolerance:g}" if claim.tolerance else ""
    return f"{claim.metric} {claim.value:g}{tolerance} ({claim.dataset or claim.split})" + (f"; {claim.budget}" if claim.budget else "")


def data_words(experiment: Experiment) -> str:
    """The corpora of a recipe, or what its training split is made of."""
    data: Any = experiment.recipe.data
    if data.corpora:
        return ", ".join(data.corpora)
    source = data.splits[data.training_split]
    count = getattr(source, "num_examples", None)
    return f"{source.type}, {count:,} examples" if count else source.type


def _row(row: Row) -> list[Cell]:
    claims, measured = row.experiment.recipe.claims, row.measurement
    published = "; ".join(claim.published for claim in claims if claim.published)
    return [
        Cell(row.name),
        Cell(f"{row.parameters:,}"),
        Cell(data_words(row.experiment)),
        Cell(published or "none", "" if published else "quiet"),
        Cell("; ".join(claim_words(claim) for claim in claims) or "none", "" if claims else "quiet"),
        Cell(measured_words(measured) if measured else "not run", _tone(row.outcomes, measured)),
        Cell(measured.when if measured else ""),
        Cell(measured.hardware if measured else ""),
    ]


def measured_words(measured: Measurement) -> str:
    """`bleu 38.30 (test, best) in 64 min; stopped at step 4,600 of 8,000`."""
    places = [", ".join(filter(None, (one["split"], one["checkpoint"]))) for one in measured.scores]
    scores = ", ".join(f"{one['metric']} {number(one['value'])} ({place})" for one, place in zip(measured.scores, places))
    return f"{scores} in {measured.minutes:g} min" + (f"; {measured.note}" if measured.note else "")


def _tone(outcomes: list[Outcome], measured: Measurement | None) -> Tone:
    if measured is None:
        return "quiet"
    told = [one.holds for one in outcomes if one.measured is not None]
    return "" if not told else "good" if all(told) else "bad"
