"""`seqcfg new`: start a recipe from one that is shipped, comments included."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path

import click

from seqcfg.component.pages import first_sentence
from seqcfg.errors import UserError
from seqcfg.recipe import shipped
from seqcfg.recipe.read import read_text

NAME_LINE = re.compile(r"^name:.*$", re.MULTILINE)
SCHEMA_LINE = re.compile(r"^# yaml-language-server:.*\n", re.MULTILINE)
VERSION_LINE = re.compile(r"^(recipe_version:.*)$", re.MULTILINE)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@click.command()
@click.argument("file", required=False, type=click.Path())
@click.option("--from", "origin", metavar="AREA/NAME", help="The shipped recipe to copy.")
@click.option("--list", "list_only", is_flag=True, help="List the shipped recipes.")
def command(file: str | None, origin: str | None, list_only: bool) -> None:
    """Copies a shipped recipe to FILE under a new name, comments and all."""
    if list_only:
        for name in shipped.names():
            click.echo(f"{name:32} {about(name)}".rstrip())
        return
    if file is None or origin is None:
        raise click.UsageError("give a file and --from AREA/NAME; --list shows what there is")
    target = Path(file)
    if target.exists():
        raise UserError(f"{file} exists already", hint="choose another name, or remove it first")
    if not NAME.fullmatch(target.stem):
        raise UserError(f"{target.stem!r} cannot name a recipe", hint="letters, digits, dot, dash and underscore")
    text = with_schema_of(target, renamed(shipped.find(origin).read_text(encoding="utf-8"), target.stem, origin))
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("x", encoding="utf-8") as stream:
        stream.write(text)
    click.echo(f"{file} written from {origin}; next: seqcfg validate {file}")


def renamed(text: str, name: str, origin: str) -> str:
    """The recipe's text under a new name; bases beside the original are named as shipped ones."""
    if NAME_LINE.search(text):
        text = NAME_LINE.sub(f"name: {name}", text, count=1)
    else:
        text = VERSION_LINE.sub(rf"\1\nname: {name}", text, count=1)
    return re.sub(r"^base: *(?!seqcfg:)([^\s#\[]+)", lambda match: f"base: {shipped_base(match[1], origin)}", text, flags=re.MULTILINE)


def shipped_base(base: str, origin: str) -> str:
    """`wmt14_base.yaml` beside `mt/wmt14_big` as `seqcfg:mt/wmt14_base`."""
    beside = (shipped.find(origin).parent / base).resolve()
    return shipped.PREFIX + beside.relative_to(shipped.folder().resolve()).with_suffix("").as_posix()


def with_schema_of(target: Path, text: str) -> str:
    """The text with its editor's schema named relative to the new file, or not at all where there is no checkout."""
    schema = shipped.folder().parent / "schemas" / "recipe.schema.json"
    line = f"# yaml-language-server: $schema={os.path.relpath(schema, target.parent)}\n" if schema.exists() else ""
    return SCHEMA_LINE.sub(lambda _: line, text, count=1)


def about(name: str) -> str:
    """The first sentence of a shipped recipe's `about:`."""
    tree = read_text(shipped.find(name).read_text(encoding="utf-8"), name)
    node = tree.child("about")
    return textwrap.shorten(first_sentence(str(node.value)), 110, placeholder=" ...") if node is not None else ""
