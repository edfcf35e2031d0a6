"""`seqcfg show`: a recipe as it will be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from seqcfg.recipe.experiment import Experiment, load
from seqcfg.recipe.node import Path, parse_path
from seqcfg.recipe.textproto_write import to_textproto
from seqcfg.recipe.write import to_yaml


@click.command()
@click.argument("recipe", type=click.Path())
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value; PATH! removes it.")
@click.option("--format", type=click.Choice(["yaml", "json", "textproto"]), default="yaml", show_default=True, help="How it is printed.")
@click.option("--defaults", is_flag=True, help="Fill in every default: the canonical form.")
@click.option("--only", type=click.Choice(["changed"]), help="Print only what differs from the class defaults.")
@click.option("--origins", is_flag=True, help="Print each value with the place it comes from instead.")
@click.option("--fingerprint", is_flag=True, help="Print the fingerprint of the four parts instead.")
def command(
    recipe: str, overrides: tuple[str, ...], format: str, defaults: bool, only: str | None, origins: bool, fingerprint: bool
) -> None:
    """Prints RECIPE with bases, defaults and overrides applied and variables replaced."""
    if sum((defaults, only is not None, fingerprint)) > 1 or (origins and (defaults or fingerprint)):
        raise click.UsageError("--defaults, --only and --fingerprint exclude one another; --origins goes with --only")
    experiment = load(recipe, overrides, allow_base=True)
    if origins:
        click.echo("\n".join(_origins(experiment, only)))
        return
    if fingerprint:
        value: dict[str, Any] = experiment.fingerprint
    elif only:
        value = experiment.only_changed()
    else:
        value = experiment.canonical() if defaults else experiment.resolved
    if format == "json":
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo((to_yaml(value) if format == "yaml" else to_textproto(value)).rstrip())


def _origins(experiment: Experiment, only: str | None) -> Iterator[str]:
    """A line per written value: path, value, and the place it was written at."""
    changed = experiment.only_changed()
    for path, chain in experiment.origins.items():
        last = chain[-1]
        if only is None or _holds(changed, parse_path(path)):
            place = ":".join(str(part) for part in (last.file, last.line, last.column) if part)
            yield f"{path} = {json.dumps(last.value, ensure_ascii=False)}    {place} ({last.how})"


def _holds(plain: Any, path: Path) -> bool:
    """Whether a plain value has something at a path."""
    for key in path:
        if isinstance(plain, dict):
            key = str(key)
        if isinstance(plain, dict | list) and (key in plain if isinstance(plain, dict) else isinstance(key, int) and key < len(plain)):
            plain = plain[key]  # type: ignore[index]
        else:
            return False
    return True
