"""`seqcfg prepare`: raw corpora to columns, once."""

from __future__ import annotations

from typing import Any

import click

from seqcfg.recipe.experiment import load


@click.command()
@click.argument("recipe", type=click.Path())
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value of the recipe; may be given several times.")
@click.option("--data-root", type=click.Path(), help="Folder of the corpora; else $SEQCFG_DATA, else ./data.")
@click.option("--cache-root", type=click.Path(), help="Folder of prepared data; else $SEQCFG_CACHE, else ./prepared.")
@click.option("--download", is_flag=True, help="Fetch the corpora that the recipe names under data.corpora first.")
@click.option("--verify", is_flag=True, help="Compare everything prepared with its checksums.")
@click.option("--processes", type=click.IntRange(min=1), help="Processes that encode a large corpus; as many as cores if left out.")
def command(
    recipe: str,
    overrides: tuple[str, ...],
    data_root: str | None,
    cache_root: str | None,
    download: bool,
    verify: bool,
    processes: int | None,
) -> None:
    """Reads the corpora of RECIPE, trains its tokenizers and writes the columns that training reads.

    The same files and settings are prepared once; a second call finds that there is nothing to do.
    """
    from seqcfg.data.prepare import prepare
    from seqcfg.data.progress import prepare_bar

    experiment: Any = load(recipe, overrides)
    if download:
        _download(experiment.recipe.data, data_root, cache_root)
    with prepare_bar() as progress:
        prepared = prepare(experiment, progress, data_root=data_root, cache_root=cache_root, processes=processes)
    if verify:
        prepared.verify()
    for line in _summary(experiment, prepared):
        click.echo(line)


def _download(data: Any, data_root: str | None, cache_root: str | None) -> None:
    from seqcfg.data.fetch import fetch
    from seqcfg.data.progress import prepare_bar
    from seqcfg.data.root import DataRoot

    root = DataRoot(data_root, cache_root)
    with prepare_bar("bytes") as progress:
        for name in data.corpora:
            for line in fetch(name, root, progress):
                click.echo(line, err=True)


def _summary(experiment: Any, prepared: Any) -> list[str]:
    from seqcfg.commands.data import dropped_lines
    from seqcfg.data.plans import whole_plan

    data = experiment.recipe.data
    lines = [f"prepared in {prepared.folder}"]
    for name, entry in prepared.manifest["splits"].items():
        tokens = "".join(f", {field} {stats['tokens']:,} tokens" for field, stats in entry["statistics"].items())
        unknown = sum(stats["unknown"] for stats in entry["statistics"].values())
        lines.append(f"  {name}: {entry['examples']:,} examples{tokens}, {unknown:,} unknown")
    lines += [f"  {line}" for line in dropped_lines(prepared.manifest)]
    training = experiment.recipe.training
    plan = whole_plan(prepared.splits, data, experiment.recipe.task.features(), training.seed if training else 0)
    lines.append(f"  {plan.batches_per_epoch:,} batches an epoch in {len(plan.buckets)} shapes, {plan.padding_share:.1%} padding")
    if plan.num_left_out:
        lines.append(
            f"  {plan.num_left_out:,} examples are longer than data.batching.max_length {data.batching.max_length} and not trained on"
        )
    return lines
