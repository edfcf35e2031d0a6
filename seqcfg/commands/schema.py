"""`seqcfg schema`: the JSON Schema that editors use for completion and checks."""

from __future__ import annotations

import json

import click

from seqcfg.component.schema import editor_schema
from seqcfg.recipe.sections import Recipe


@click.command()
def command() -> None:
    """Prints the JSON Schema (draft-07) of recipes, with everything that is installed."""
    click.echo(schema_text(), nl=False)


def schema_text() -> str:
    """The schema as it is stored in schemas/recipe.schema.json."""
    return json.dumps(editor_schema(Recipe), indent=1, ensure_ascii=False) + "\n"
