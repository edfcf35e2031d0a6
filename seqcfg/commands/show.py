"""`seqcfg show`: a recipe as it will be used."""

from __future__ import annotations

import json

import click

from seqcfg.recipe.experiment import load
from seqcfg.recipe.textproto_write import to_textproto
from seqcfg.recipe.write import to_yaml


@click.command()
@click.argument("recipe", type=click.Path())
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value; PATH! removes it.")
@click.option("--format", type=click.Choice(["yaml", "json", "textproto"]), default="yaml", show_default=True, help="How it is printed.")
@click.option("--defaults", is_flag=True, help="Fill in every default: the canonical form.")
@click.option("--origins", is_flag=True, help="Print each value with the place it comes from instead.")
@click.option("--fingerprint", is_flag=True, help="Print the fingerprint of the four parts instead.")
def command(recipe: str, overrides: tuple[str, ...], format: str, defaults: bool, origins: bool, fingerprint: bool) -> None:
    """Prints RECIPE with bases, defaults and overrides applied and variables replaced."""
    experiment = load(recipe, overrides, allow_base=True)
    if origins:
        for path, chain in experiment.origins.items():
            last = chain[-1]
            place = ":".join(str(part) for part in (last.file, last.line, last.column) if part)
            click.echo(f"{path} = {json.dumps(last.value, ensure_ascii=False)}    {place} ({last.how})")
        return
    value = experiment.fingerprint if fingerprint else experiment.canonical() if defaults else experiment.resolved
    if format == "json":
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo((to_yaml(value) if format == "yaml" else to_textproto(value)).rstrip())
