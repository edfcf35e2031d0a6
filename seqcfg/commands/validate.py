"""`seqcfg validate`: check recipes without running anything, and without TensorFlow."""

from __future__ import annotations

from pathlib import Path

import click

from seqcfg.errors import EXIT_OK, EXIT_PROBLEM, Problem
from seqcfg.recipe import report, validate

SUFFIXES = {".yaml", ".yml", ".json"}


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value in every recipe; PATH! removes it.")
@click.option("--format", type=click.Choice(report.FORMATS), default="text", show_default=True, help="How problems are printed.")
@click.pass_context
def command(ctx: click.Context, paths: tuple[str, ...], overrides: tuple[str, ...], format: str) -> None:
    """Checks recipes: syntax, keys, types, ranges, rules across fields, and whether all widths fit.

    PATHS are recipes or folders of recipes. Problems come with file, line, column and remedy.
    """
    files = [file for path in paths for file in recipes_in(path)]
    found: list[Problem] = []
    broken = 0
    for file in files:
        problems = validate.validate(file, overrides)
        found += problems
        broken += bool(problems)
    if found or format == "json":
        click.echo(report.render(found, format))
    if format == "text":
        click.echo(summary(len(files), broken))
    ctx.exit(EXIT_PROBLEM if broken else EXIT_OK)


def recipes_in(path: str) -> list[str]:
    """The path itself, or every recipe in the folder it names."""
    if not Path(path).is_dir():
        return [path]
    return sorted(str(file) for file in Path(path).rglob("*") if file.suffix in SUFFIXES and file.is_file())


def summary(count: int, broken: int) -> str:
    recipes = f"{count} recipe{'' if count == 1 else 's'}"
    return f"{recipes}: all valid" if not broken else f"{recipes}: {broken} with problems"
