"""`seqcfg schema`: the JSON Schema that editors use for completion and checks."""

from __future__ import annotations

import json
from typing import Any

import click

from seqcfg.component import catalog
from seqcfg.component.component import Component
from seqcfg.component.schema import component_schema, editor_schema
from seqcfg.errors import UserError
from seqcfg.recipe.sections import Recipe

TYPELESS = ("section", "record")


@click.command()
@click.argument("name", required=False, metavar="[KIND | KIND.TYPE]")
def command(name: str | None) -> None:
    """Prints the JSON Schema (draft-07) of recipes, with everything that is installed.

    With a name such as layer.dense, the schema of that component alone; with a kind such as layer, that of any of its types.
    """
    click.echo(schema_text() if name is None else _text(component_schema(named(name))), nl=False)


def schema_text() -> str:
    """The schema as it is stored in schemas/recipe.schema.json."""
    return _text(editor_schema(Recipe))


def named(name: str) -> type[Component]:
    """The class of `kind.type`, or the family of `kind`; raises UserError with the nearest name."""
    kind, dot, type = name.partition(".")
    if dot:
        return catalog.find(kind, type)
    if kind in TYPELESS:
        raise UserError(f"a {kind} is not chosen by type", hint=f"name one, such as {kind}.{min(catalog.load()[kind], default='TYPE')}")
    return catalog.family(kind)


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
