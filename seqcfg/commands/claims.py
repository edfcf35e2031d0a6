"""`seqcfg claims`: what recipes claim, what was published, and what was measured last."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from seqcfg.errors import EXIT_OK, EXIT_PROBLEM, UserError


@click.command()
@click.argument("folder", default="recipes", type=click.Path())
@click.option("--record", metavar="RUN", type=click.Path(), help="Keep what RUN was evaluated to as the last run of its recipe.")
@click.option("--runs", type=click.Path(), help="Show what runs in this folder were evaluated to, where that is newer.")
@click.option("--write", is_flag=True, help="Bring the table in FOLDER/README.md up to date.")
@click.option("--check", is_flag=True, help="Fail when that table is out of date, or when a measurement misses its claim.")
@click.option("--format", "style", type=click.Choice(["text", "json", "markdown"]), default="text", help="How it is printed.")
def command(folder: str, record: str | None, runs: str | None, write: bool, check: bool, style: str) -> int:
    """Prints what the recipes in FOLDER claim beside what was published and measured, when and on what hardware."""
    from seqcfg.comparison import claims

    if runs and (write or check or record):
        raise click.UsageError("--runs only shows: runs may be gone tomorrow; --record RUN keeps what one was evaluated to")
    place = Path(folder)
    if not place.is_dir():
        raise UserError(f"{folder}: there is no such folder", hint="name the folder of recipes, such as recipes/")
    if record:
        name, _ = claims.record(place, record)
        click.echo(f"{record}: recorded as the last run of {name} in {place / claims.MEASURED}", err=True)
    rows = claims.rows(place)
    if write or record:
        _rewrite(place, rows)
    if check:
        return _check(place, rows)
    click.echo(_printed(claims.with_runs(rows, Path(runs)) if runs else rows, style))
    return EXIT_OK


def _printed(rows: list[Any], style: str) -> str:
    from seqcfg.comparison.as_markdown import table_lines
    from seqcfg.comparison.as_text import table_text
    from seqcfg.comparison.claims_table import document

    if style == "json":
        return json.dumps([_plain(row) for row in rows], indent=1, ensure_ascii=False)
    return "\n".join(table_lines(document(rows))) if style == "markdown" else table_text(document(rows), colors=sys.stdout.isatty())


def _plain(row: Any) -> dict[str, Any]:
    from seqcfg.comparison.compare import plain

    claims = []
    for claim, one in _pairs(row):
        claims.append(claim | {"measured": one.measured, "holds": one.holds if one.measured is not None else None})
    return {"recipe": row.name, "parameters": row.parameters, "claims": claims, "measurement": plain(row.measurement)}


def _pairs(row: Any) -> list[tuple[dict[str, Any], Any]]:
    from seqcfg.recipe.canonical import canonical

    return [(canonical(claim), one) for claim, one in zip(row.experiment.recipe.claims, row.outcomes)]


def _rewrite(place: Path, rows: list[Any]) -> None:
    from seqcfg.comparison.claims_table import README, with_table
    from seqcfg.runs.durable import write_file

    path = place / README
    text = with_table(path.read_text(encoding="utf-8") if path.exists() else "", rows, path)
    write_file(path, text)


def _check(place: Path, rows: list[Any]) -> int:
    from seqcfg.comparison.claims_table import README, with_table

    path, code = place / README, EXIT_OK
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if with_table(text, rows, path) != text:
        click.echo(f"{path}: is out of date; seqcfg claims {place} --write mends it", err=True)
        code = EXIT_PROBLEM
    for row in rows:
        for one in row.missed:
            click.echo(f"{row.name}: {one}", err=True)
            code = EXIT_PROBLEM
    return code
