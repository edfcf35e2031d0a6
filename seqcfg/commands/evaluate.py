"""`seqcfg evaluate`: how good a trained run is."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.argument("run", type=click.Path())
@click.option("--checkpoint", default="best", show_default=True, help="best, last, average:N (the newest N) or a step number.")
@click.option("--split", help="Split to evaluate on; else evaluation.split of the recipe.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value, such as decoding.search.width=1.")
@click.option("--data-root", type=click.Path(), help="Folder of the corpora; else $SEQCFG_DATA, else ./data.")
@click.option("--cache-root", type=click.Path(), help="Folder of prepared data; else $SEQCFG_CACHE, else ./prepared.")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", help="What is printed.")
def command(
    run: str, checkpoint: str, split: str | None, overrides: tuple[str, ...], data_root: str | None, cache_root: str | None, style: str
) -> None:
    """Decodes a split with the model in RUN, compares with the references and stores the result in RUN/evaluations."""
    from rich.console import Console

    from seqcfg.data.prepare import prepare
    from seqcfg.data.progress import prepare_bar
    from seqcfg.evaluation.corpus import columns_of, evaluate
    from seqcfg.evaluation.store import as_json, summary, write
    from seqcfg.evaluation.table import score_table
    from seqcfg.tasks.trained import open_run

    trained: Any = open_run(run, checkpoint, overrides, lambda line: click.echo(line, err=True))
    with prepare_bar() as progress:
        prepared = prepare(trained.experiment, progress, data_root=data_root, cache_root=cache_root)
    split = split or trained.experiment.recipe.evaluation.split
    with prepare_bar("lines") as progress:
        evaluated = evaluate(trained, columns_of(prepared, split), split, progress)
    folder = write(trained, evaluated)
    if evaluated.num_cut:
        click.echo(f"{evaluated.num_cut} lines were longer than decoding.max_source_length and were cut", err=True)
    if style == "json":
        click.echo(as_json(summary(trained, evaluated)))
        return
    Console().print(score_table(evaluated))
    click.echo(f"{len(evaluated.decoded)} lines decoded in {evaluated.seconds:.1f} s; stored in {folder}")
