"""`seqcfg export`: a trained run in a format that is used without seqcfg."""

from __future__ import annotations

from typing import Any

import click


def _sample(ctx: click.Context, option: click.Parameter, value: str) -> int | None:
    if value == "all":
        return None
    if not value.isdecimal():
        raise click.BadParameter("a number of lines, or all")
    return int(value)


@click.command()
@click.argument("run", type=click.Path())
@click.option(
    "--format", "kind", default="saved_model", show_default=True, help="Type of exporter; 'seqcfg components exporter' lists them."
)
@click.option("--checkpoint", default="best", show_default=True, help="best, last, average:N, a step number or the folder of a checkpoint.")
@click.option("--sample", default="64", show_default=True, callback=_sample, help="Lines of the evaluation split to compare, or all.")
@click.option("--input", "source", type=click.Path(), help="File of lines to compare instead.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value, such as decoding.search.width=1.")
@click.option("--data-root", type=click.Path(), help="Folder of the corpora; else $SEQCFG_DATA, else ./data.")
@click.option("--cache-root", type=click.Path(), help="Folder of prepared data; else $SEQCFG_CACHE, else ./prepared.")
def command(
    run: str, kind: str, checkpoint: str, sample: int | None, source: str | None, overrides: tuple[str, ...],
    data_root: str | None, cache_root: str | None,
) -> None:  # fmt: skip
    """Writes the model in RUN to RUN/exports, then decodes sample lines with both and refuses a model that differs."""
    from seqcfg.export.artefact import export, exporter_of
    from seqcfg.tasks.trained import open_run

    trained: Any = open_run(run, checkpoint, overrides, lambda line: click.echo(line, err=True))
    exporter = exporter_of(trained.experiment, kind)
    lines = _lines_of(source) if source else _split_lines(trained, data_root, cache_root)
    folder, compared = export(trained, exporter, lines[:sample])
    said = f"the same strings as the run on {compared} lines" if compared else "not compared: it takes no text"
    click.echo(f"exported {trained.label} to {folder}: {said}")


def _split_lines(trained: Any, data_root: str | None, cache_root: str | None) -> list[str]:
    """The sources of the split that the recipe evaluates."""
    from seqcfg.data.prepare import prepare
    from seqcfg.data.progress import prepare_bar
    from seqcfg.evaluation.corpus import columns_of

    with prepare_bar() as progress:
        prepared = prepare(trained.experiment, progress, data_root=data_root, cache_root=cache_root)
    recipe = trained.experiment.recipe
    return recipe.task.sources(columns_of(prepared, recipe.evaluation.split))


def _lines_of(name: str) -> list[str]:
    from pathlib import Path

    from seqcfg.data.lines import read_lines
    from seqcfg.errors import UserError

    if not Path(name).is_file():
        raise UserError(f"{name}: there is no such file", hint="--input takes a file of one input per line")
    return [line.text for line in read_lines(Path(name), name)]
