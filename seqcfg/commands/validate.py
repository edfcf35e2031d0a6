"""`seqcfg validate`: check recipes without running anything, and without TensorFlow."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import click

from seqcfg.errors import EXIT_OK, EXIT_PROBLEM, Problem
from seqcfg.recipe import report, validate

SUFFIXES = {".yaml", ".yml", ".json"}


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value in every recipe; PATH! removes it.")
@click.option("--format", type=click.Choice(report.FORMATS), default="text", show_default=True, help="How problems are printed.")
@click.option("--changed-since", "revision", metavar="REV", help="Only recipes that differ, or whose bases differ, from git revision REV.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that check recipes side by side.")
@click.option("--target", help="Exporter for which the models are meant, such as tflite: what would be in its way.")
@click.pass_context
def command(
    ctx: click.Context, paths: tuple[str, ...], overrides: tuple[str, ...], format: str, revision: str | None, jobs: int, target: str | None
) -> None:  # fmt: skip
    """Checks recipes: syntax, keys, types, ranges, rules across fields, and whether all widths fit.

    PATHS are recipes or folders of recipes. Problems come with file, line, column and remedy.
    """
    files = list(dict.fromkeys(file for path in paths for file in recipes_in(path)))
    if revision is not None:
        from seqcfg.recipe.changed import changed_recipes

        files = changed_recipes(files, revision)
    results = check_all(files, overrides, jobs, target)
    broken = sum(bool(problems) for problems in results.values())
    if broken or format not in ("text", "github"):
        click.echo(report.render(results, format, colors=report.has_colors(sys.stdout)))
    if format == "text":
        click.echo(summary(len(files), broken))
    ctx.exit(EXIT_PROBLEM if broken else EXIT_OK)


def check_all(files: list[str], overrides: tuple[str, ...], jobs: int, target: str | None = None) -> dict[str, list[Problem]]:
    """The problems of each recipe, by file, in the order given; of valid ones, what is in the way of a target."""
    if target is not None:
        from seqcfg.component.catalog import find

        find("exporter", target.partition("-")[0])  # raises UserError before anything is read
    check = functools.partial(_check, overrides=overrides, target=target)
    if min(jobs, len(files)) < 2:
        return dict(zip(files, map(check, files), strict=True))
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(min(jobs, len(files))) as pool:
        found = pool.map(check, files, chunksize=max(1, len(files) // (4 * jobs)))
        return dict(zip(files, found, strict=True))


def _check(file: str, overrides: tuple[str, ...], target: str | None) -> list[Problem]:
    problems = validate.validate(file, overrides)
    if problems or target is None:
        return problems
    from seqcfg.export.artefact import exporter_of
    from seqcfg.recipe.problem_list import in_line_order

    checked = validate.load(file, overrides)
    found = exporter_of(checked.built, target).obstacles_in(checked.built.recipe, checked.declaration)
    return in_line_order(list(dict.fromkeys(obstacle(one, checked) for one in found)))  # a repeated layer is one line


def obstacle(one: Any, checked: validate.Checked) -> Problem:
    """What is in a target's way, with the line that is to blame."""
    from seqcfg.plan.declaration import Misfit
    from seqcfg.recipe.rules import locate
    from seqcfg.recipe.structure import problem_at

    if isinstance(one, Misfit):
        return locate(one, checked.declaration, checked.tree, checked.built, "E0502")
    keys, message, hint = one
    found, node = checked.tree.nearest(keys)
    return problem_at(node, keys, "E0502", message, hint, at_key=found != keys)


def recipes_in(path: str) -> list[str]:
    """The path itself, or every recipe in the folder it names."""
    if not Path(path).is_dir():
        return [path]
    return sorted(str(file) for file in Path(path).rglob("*") if file.suffix in SUFFIXES and file.is_file())


def summary(count: int, broken: int) -> str:
    recipes = f"{count} recipe{'' if count == 1 else 's'}"
    return f"{recipes}: all valid" if not broken else f"{recipes}: {broken} with problems"
