"""`seqcfg report`: runs as one page to look at, to send and to keep."""

from __future__ import annotations

from pathlib import Path

import click

from seqcfg.errors import EXIT_OK, UserError


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN|SWEEP...", type=click.Path(exists=True))
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    help="File to write, - for standard output; else report.html in the run, or here for several.",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["html", "markdown"]),
    default="html",
    show_default=True,
    help="A page, or text for a pull request.",
)
@click.option("--samples", type=click.IntRange(min=0), default=12, show_default=True, help="Lines of each split whose outputs are shown.")
@click.option("--cache-root", type=click.Path(), help="Folder of prepared data, for its statistics; else $SEQCFG_CACHE, else ./prepared.")
def command(runs: tuple[str, ...], output: str | None, style: str, samples: int, cache_root: str | None) -> int:
    """Writes a report on one or several RUNs, or on the finished runs of a SWEEP.

    The page is one file that fetches nothing: summary, learning curves of all runs, what differs among them, claims,
    evaluations, samples, attention where runs have stored it, recipes with changed values marked, data and environment.
    """
    from seqcfg.reporting.report import default_output, gather

    report = gather(runs, cache_root)
    if style == "markdown":
        from seqcfg.reporting.markdown import markdown

        text, suffix = markdown(report, samples) + "\n", "md"
    else:
        from seqcfg.reporting.page import page

        text, suffix = page(report, samples), "html"
    if output == "-" or (style == "markdown" and output is None):
        click.echo(text, nl=False)
        return EXIT_OK
    path = Path(output) if output else default_output(report, suffix)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}", hint="choose another file with --output") from error
    click.echo(f"{path} written: {len(report.sides)} runs, {len(text.encode()) / 1e6:.2f} MB", err=True)
    return EXIT_OK
