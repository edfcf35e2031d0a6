"""`seqcfg diff`: how recipes and runs differ, and what follows from it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from seqcfg.errors import UserError

SAME, DIFFERENT, TROUBLE = 0, 1, 2  # as diff(1) has it


@click.command()
@click.argument("sides", nargs=-1, required=True, metavar="A B [C ...]")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "markdown", "html"]),
    default="text",
    show_default=True,
    help="How it is printed.",
)
@click.option("--output", type=click.Path(dir_okay=False), help="Write to this file instead of the terminal.")
@click.option("--only", multiple=True, metavar="PART|PATH", help="Show these alone: a part, or recipe paths such as '*.dropout'.")
@click.option("--ignore", multiple=True, metavar="PART|PATH", help="Leave these out; they do not count as a difference either.")
@click.option("--weights", is_flag=True, help="Compare the weights of two checkpoints instead; needs TensorFlow.")
def command(sides: tuple[str, ...], style: str, output: str | None, only: tuple[str, ...], ignore: tuple[str, ...], weights: bool) -> int:
    """Compares recipes and runs: what changed and what follows, data, environment, outcome; says whether they are comparable.

    A side is a recipe file, a run directory, RUN@STEP (or @best, @last), or REVISION:PATH of a git checkout. The first side is
    what the others are held against.

    PARTS are data, model, training, decoding, cosmetic, consequences, environment and outcome. Exit code: 0 same, 1 different,
    2 trouble.
    """
    if len(sides) < 2:
        raise click.UsageError("name two sides or more: seqcfg diff A B")
    try:
        differs, text = _weights(sides, style) if weights else _compared(sides, style, only, ignore)
        if output:
            Path(output).write_text(text + "\n", encoding="utf-8")
        else:
            click.echo(text)
    except UserError as error:
        from seqcfg.recipe.report import as_text

        click.echo(as_text(error.problems), err=True)
        return TROUBLE
    except OSError as error:
        click.echo(f"error: {error.filename or output}: {error.strerror}", err=True)
        return TROUBLE
    return DIFFERENT if differs else SAME


def _compared(sides: tuple[str, ...], style: str, only: tuple[str, ...], ignore: tuple[str, ...]) -> tuple[bool, str]:
    from seqcfg.comparison.compare import as_plain, compare
    from seqcfg.comparison.shown import document

    found = compare(sides, only, ignore)
    return found.differs, json.dumps(as_plain(found), indent=1, ensure_ascii=False) if style == "json" else rendered(document(found), style)


def _weights(sides: tuple[str, ...], style: str) -> tuple[bool, str]:
    from seqcfg.comparison.weights import as_plain, compare_weights, document

    found = compare_weights(sides)
    return found.differs, json.dumps(as_plain(found), indent=1, ensure_ascii=False) if style == "json" else rendered(document(found), style)


def rendered(page: Any, style: str) -> str:
    """A comparison.document.Document as text, Markdown or HTML."""
    if style == "markdown":
        from seqcfg.comparison.as_markdown import as_markdown

        return as_markdown(page)
    if style == "html":
        from seqcfg.comparison.as_html import as_html

        return as_html(page)
    from seqcfg.comparison.as_text import as_text

    return as_text(page, colors=sys.stdout.isatty())
