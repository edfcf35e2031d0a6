"""`seqcfg components`: what a recipe can name."""

from __future__ import annotations

import click

from seqcfg.component import catalog, pages
from seqcfg.component.component import Component
from seqcfg.errors import UserError

HIDDEN = {"record"}


@click.command()
@click.argument("kind", required=False)
@click.argument("type", required=False)
@click.option("--origin", is_flag=True, help="Show the file and line of each definition.")
def command(kind: str | None, type: str | None, origin: bool) -> None:
    """Lists the kinds of components, the types of one KIND, or the fields of one TYPE.

    A type's name alone is enough: `seqcfg components dense`.
    """
    families = {name: family for name, family in catalog.load().items() if name not in HIDDEN}
    if kind is None and origin:
        rows = [[f"{kind}.{name}", pages.origin(cls)] for kind, family in sorted(families.items()) for name, cls in sorted(family.items())]
        _table(["component", "defined in"], rows)
    elif kind is None:
        _print_kinds(families)
    elif type is None:
        if kind in families:
            _print_types(kind, families[kind], origin)
            return
        for cls in _called(kind, families):
            _print_fields(cls, origin)
    else:
        _print_fields(catalog.find(kind, type), origin)


def _called(name: str, families: dict[str, dict[str, type[Component]]]) -> list[type[Component]]:
    """The components of this type, of whatever kind; raises UserError with the nearest name of a kind or type."""
    found = [family[name] for _, family in sorted(families.items()) if name in family]
    if not found:
        known = [*families, *(type for family in families.values() for type in family)]
        hint = catalog.closest(name, known) or "'seqcfg components' lists all kinds and types"
        raise UserError(f"there is no kind and no type of component called {name!r}", hint=hint)
    return found


def _print_kinds(families: dict[str, dict[str, type[Component]]]) -> None:
    _table(["kind", "types"], [[kind, ", ".join(sorted(family)) or "-"] for kind, family in sorted(families.items())])
    click.echo("seqcfg components KIND [TYPE] tells more.")


def _print_types(kind: str, family: dict[str, type[Component]], origin: bool) -> None:
    heads = ["type", "what it is", *(["defined in"] if origin else [])]
    rows = [[name, pages.summary(cls), *([pages.origin(cls)] if origin else [])] for name, cls in sorted(family.items())]
    _table(heads, rows)
    click.echo(f"seqcfg components {kind} TYPE lists the fields of one.")


def _print_fields(cls: type[Component], origin: bool) -> None:
    click.echo(f"{cls.kind} {cls.type}: {pages.summary(cls)}")
    if origin:
        click.echo(pages.origin(cls))
    rows = [[page.name, page.type, page.default or "(required)", page.doc] for page in pages.fields(cls)]
    if rows:
        _table(["field", "type", "default", "what it does"], rows)
    else:
        click.echo("It has no fields.")


def _table(heads: list[str], rows: list[list[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, header_style="bold")
    for index, head in enumerate(heads):
        table.add_column(head, no_wrap=index == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    if not console.is_terminal:  # a file or a pipe has no width of its own
        console = Console(width=160)
    console.print(table)
