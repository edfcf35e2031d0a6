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
    "--format", "kinds", multiple=True, default=("saved_model",), show_default=True,
    help="Exporter by type or label, again for more, or all of the recipe's; 'seqcfg components exporter' lists them.",
)  # fmt: skip
@click.option("--checkpoint", default="best", show_default=True, help="best, last, average:N, a step number or the folder of a checkpoint.")
@click.option("--sample", default="64", show_default=True, callback=_sample, help="Lines of the evaluation split to compare, or all.")
@click.option(
    "--timed", default=16, show_default=True, help="Of these, lines decoded one at a time for latency and memory; 0 leaves it out."
)
@click.option("--input", "source", type=click.Path(), help="Lines, or sounds, to compare instead; metrics are then left out.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value, such as decoding.search.width=1.")
@click.option("--data-root", type=click.Path(), help="Folder of the corpora; else $SEQCFG_DATA, else ./data.")
@click.option("--cache-root", type=click.Path(), help="Folder of prepared data; else $SEQCFG_CACHE, else ./prepared.")
def command(
    run: str, kinds: tuple[str, ...], checkpoint: str, sample: int | None, timed: int, source: str | None, overrides: tuple[str, ...],
    data_root: str | None, cache_root: str | None,
) -> None:  # fmt: skip
    """Writes the model in RUN to RUN/exports and proves that it is the same model.

    Run and exported model decode sample lines; strings, scores, metrics, size, latency and memory are compared, printed and kept
    in parity.json. A model beyond the exporter's `tolerance` is refused, or kept with a warning, as the recipe says.
    """
    from rich.console import Console

    from seqcfg.export.artefact import Export, exporter_of
    from seqcfg.export.parity_table import parity_table
    from seqcfg.tasks.trained import open_run

    trained: Any = open_run(run, checkpoint, overrides, say)
    exporters = _exporters(trained.experiment, kinds) if "all" in kinds else [exporter_of(trained.experiment, kind) for kind in kinds]
    export = Export(trained, sample_of(trained, source, data_root, cache_root).first(sample), timed, overrides, say)
    parities = {}
    for exporter in exporters:
        folder, parity = export(exporter)
        if parity:
            parities[exporter.label] = parity
            said = f"the same strings as the run on {parity.identical} of {parity.lines} lines"
        else:
            said = f"the same texts as the run on {export.num_sounds} sounds" if export.num_sounds else "not compared: it takes no text"
        click.echo(f"exported {trained.label} to {folder}: {said}")
    if parities:
        Console().print(parity_table(parities))


def say(line: str) -> None:
    """Tells the user, apart from what was asked for."""
    click.echo(line, err=True)


def _exporters(experiment: Any, kinds: tuple[str, ...]) -> list[Any]:
    if kinds != ("all",):
        raise click.UsageError("--format all stands alone")
    from seqcfg.export.settings import Export

    return (experiment.recipe.export or Export()).formats


def sample_of(trained: Any, source: str | None, data_root: str | None, cache_root: str | None) -> Any:
    """The lines of a file, else those of the split that the recipe evaluates; with the training data behind them."""
    from seqcfg.data.prepare import prepare
    from seqcfg.data.progress import prepare_bar
    from seqcfg.evaluation.corpus import columns_of
    from seqcfg.export.sample import Sample

    recipe = trained.experiment.recipe
    found: list[Any] = []

    def prepared() -> Any:
        if not found:
            with prepare_bar() as progress:
                found.append(prepare(trained.experiment, progress, data_root=data_root, cache_root=cache_root))
        return found[0]

    def representative(count: int) -> list[tuple[Any, str]]:
        columns = columns_of(prepared(), "train")
        references, sources = recipe.task.references(columns), recipe.task.sources(columns)
        chosen = range(0, len(references), max(1, len(references) // count))[:count]  # sounds are read when they are asked for
        return [(sources[one], references[one] if isinstance(references[one], str) else references[one][0]) for one in chosen]

    if source and recipe.task.is_of_sounds:
        return _sounds_of(source, recipe, representative)
    if source:
        return Sample(_lines_of(source), [], representative)
    columns = columns_of(prepared(), recipe.evaluation.split)
    references = [[one] if isinstance(one, str) else list(one) for one in recipe.task.references(columns)]
    names = recipe.task.source_names(columns) if recipe.task.is_of_sounds else []
    return Sample(recipe.task.sources(columns), references, representative, names)


def _sounds_of(name: str, recipe: Any, representative: Any) -> Any:
    from seqcfg.data.sound_stream import SoundPart, SoundStream, all_pieces
    from seqcfg.errors import UserError
    from seqcfg.export.sample import Sample

    task, sounds, names = recipe.task, [], []
    for line in SoundStream(name).texts():
        pieces, problem = all_pieces(
            SoundPart.of_line(line), task.sample_rate_hz, recipe.decoding.max_source_length * task.samples_per_position
        )
        if problem:
            raise UserError(f"{line}: {problem}", hint="leave it out")
        sounds += pieces
        names += [line] * len(pieces)
    return Sample(sounds, [], representative, names)


def _lines_of(name: str) -> list[str]:
    from pathlib import Path

    from seqcfg.data.lines import read_lines
    from seqcfg.errors import UserError

    if not Path(name).is_file():
        raise UserError(f"{name}: there is no such file", hint="--input takes a file of one input per line")
    return [line.text for line in read_lines(Path(name), name)]
