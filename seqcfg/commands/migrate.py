"""`seqcfg migrate`: bring recipes to the current version of the language."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from seqcfg.errors import EXIT_OK, EXIT_PROBLEM, UserError
from seqcfg.recipe.migrate import migrate
from seqcfg.recipe.read import decode
from seqcfg.runs.durable import write_file


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--check", "mode", flag_value="check", help="Change nothing; exit with 1 if a recipe is of an older version.")
@click.option("--write", "mode", flag_value="write", help="Rewrite the files.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], mode: str | None) -> None:
    """Rewrites recipes of older versions in place; comments, quotes and layout stay. Without an option, prints the differences."""
    texts = {file: read(file) for file in files}
    changed = {file: found for file in files if (found := migrate(texts[file], file))[1]}
    for file, (text, steps) in changed.items():
        if mode == "write":
            write_file(Path(file), text)
        if mode is None:
            lines = difflib.unified_diff(texts[file].splitlines(), text.splitlines(), file, file, lineterm="")
            click.echo("\n".join(lines))
        else:
            click.echo("\n".join(f"{file}: {step}" for step in steps))
    if mode is not None:
        click.echo(f"{len(files)} recipes: {len(changed)} {'rewritten' if mode == 'write' else 'of an older version'}")
    ctx.exit(EXIT_PROBLEM if changed and mode == "check" else EXIT_OK)


def read(file: str) -> str:
    """The text of a recipe with its own line ends."""
    try:
        data = Path(file).read_bytes()
    except OSError as failure:
        raise UserError(f"{file}: {failure.strerror}") from None
    decode(data, file)
    return data.decode("utf-8")
