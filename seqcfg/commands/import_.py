"""`seqcfg import`: a recipe made from another system's settings, and a list of what it could not take along."""

from __future__ import annotations

from pathlib import Path

import click

from seqcfg.commands.new import NAME, with_schema_of
from seqcfg.errors import UserError
from seqcfg.recipe.importing.draft import Draft
from seqcfg.recipe.importing.foreign import recipe_name
from seqcfg.runs.durable import write_file

output_option = click.option(
    "--output", "-o", metavar="FILE", type=click.Path(), help="Where the recipe is written; left out, it is printed."
)


@click.group()
def command() -> None:
    """Makes a recipe of another system's settings.

    What cannot be taken along is listed on standard error by file and line, with the reason.
    """


@command.command()
@click.argument("file", type=click.Path())
@output_option
def lingvo(file: str, output: str | None) -> None:
    """Reads the dump of a Lingvo experiment's parameters (params.txt); its Transformer and RNMT+ translators, and LAS."""
    from seqcfg.recipe.importing import lingvo

    target = free_target(output)
    finish(lingvo.read(file, name_for(target, file)), target)


@command.command("opennmt-tf")
@click.argument("file", type=click.Path())
@click.option("--model", default="Transformer", show_default=True, help="Its name in OpenNMT-tf's catalog, as for --model_type.")
@click.option("--auto-config/--no-auto-config", default=True, show_default=True, help="Whether it was trained with --auto_config.")
@output_option
def opennmt_tf(file: str, model: str, auto_config: bool, output: str | None) -> None:
    """Reads a YAML configuration of OpenNMT-tf; the Transformers of its catalog are known."""
    from seqcfg.recipe.importing import opennmt_tf

    target = free_target(output)
    finish(opennmt_tf.read(file, name_for(target, file), model, auto_config), target)


def free_target(output: str | None) -> Path | None:
    """The file to write; raises UserError if it is there already or cannot name a recipe."""
    if output is None:
        return None
    target = Path(output)
    if target.exists():
        raise UserError(f"{output} exists already", hint="choose another name, or remove it first")
    if not NAME.fullmatch(target.stem):
        raise UserError(f"{target.stem!r} cannot name a recipe", hint="letters, digits, dot, dash and underscore")
    return target


def name_for(target: Path | None, file: str) -> str:
    return target.stem if target else recipe_name(file)


def finish(draft: Draft, target: Path | None) -> None:
    """Writes or prints the recipe and lists what it left behind."""
    text = with_schema_of(target or Path("recipe.yaml"), draft.text())
    if target is None:
        click.echo(text, nl=False)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, text)
    for remark in draft.remarks:
        click.echo(str(remark), err=True)
    place = f"{target} written; next: seqcfg validate {target}" if target else "the recipe is on standard output"
    click.echo(f"{len(draft.remarks)} settings not carried over as they are; {place}", err=True)
    if draft.missing:
        click.echo(draft.missing, err=True)
