"""`seqcfg explain`: where a value comes from, and what it means."""

from __future__ import annotations

import click

from seqcfg.recipe import codes
from seqcfg.recipe.explain import as_text, explain
from seqcfg.recipe.validate import resolve, with_sections


@click.command()
@click.argument("recipe", metavar="RECIPE|CODE", type=click.Path())
@click.argument("path", required=False)
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value; PATH! removes it.")
def command(recipe: str, path: str | None, overrides: tuple[str, ...]) -> None:
    """Tells what PATH means in RECIPE: type, range, default, and every value it was given.

    PATH is like task.model.encoder.layers.2.times; it may name a field that the recipe leaves out. With an error code
    such as E0107 alone, tells what it means and how to mend it.
    """
    if path is not None:
        click.echo(as_text(explain(with_sections(resolve(recipe, overrides)), path)))
    elif codes.PATTERN.fullmatch(recipe):
        click.echo(codes.as_text(codes.find(recipe)))
    else:
        raise click.UsageError("give a recipe and a path in it, or an error code such as E0107")
