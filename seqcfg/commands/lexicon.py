"""`seqcfg lexicon`: which target tokens source tokens become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("recipe", type=click.Path())
@click.option("--output", type=click.Path(), help="File to write; lexicon.npz in the folder of the run if left out.")
@click.option("--per-token", type=click.IntRange(min=1), default=100, show_default=True, help="Target tokens kept of each source token.")
@click.option("--iterations", type=click.IntRange(min=1), default=5, show_default=True, help="Rounds of expectation and maximisation.")
@click.option(
    "--examples", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Most pairs to learn from, evenly spread."
)
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value of the recipe; may be given several times.")
@click.option("--data-root", type=click.Path(), help="Folder of the corpora; else $SEQCFG_DATA, else ./data.")
@click.option("--cache-root", type=click.Path(), help="Folder of prepared data; else $SEQCFG_CACHE, else ./prepared.")
def command(
    recipe: str, output: str | None, per_token: int, iterations: int, examples: int, overrides: tuple[str, ...], data_root: str | None,
    cache_root: str | None,
) -> None:  # fmt: skip
    """Learns a lexicon from the prepared training pairs of RECIPE, a recipe or the folder of a run, by IBM model 1.

    It serves decoding.shortlist: outputs are then made of the tokens that their source makes likely. What share of the target
    tokens of the validation split such shortlists hold is printed.
    """
    from seqcfg.data.prepare import find_prepared
    from seqcfg.data.progress import prepare_bar
    from seqcfg.decoding.lexicon import learn, tokens_digest
    from seqcfg.errors import UserError
    from seqcfg.recipe.experiment import load
    from seqcfg.runs.directory import RunDirectory
    from seqcfg.tasks.lexicons import FILE_NAME

    is_run = Path(recipe).is_dir()
    if not is_run and output is None:
        raise click.UsageError("a recipe has no folder for the lexicon: give --output FILE, or name a run")
    experiment: Any = load(str(RunDirectory.open(recipe).resolved) if is_run else recipe, overrides)
    task = experiment.recipe.task
    if task.type != "translation":
        raise UserError(f"the task {task.type} has no pairs of source and target", hint="a shortlist serves translation")
    prepared = find_prepared(experiment, data_root=data_root, cache_root=cache_root)
    if prepared is None:
        raise UserError(f"{recipe}: its data is not prepared yet", hint="run `seqcfg prepare` on its recipe first")
    source, target = task.source_codec(prepared.codecs), task.target_codec(prepared.codecs)
    pairs = pairs_of(prepared.splits[experiment.recipe.data.training_split], examples)
    with prepare_bar("iterations") as progress:
        show = lambda done: progress("aligning", done, iterations)  # noqa: E731
        lexicon = learn(pairs, (source.vocabulary, target.vocabulary), per_token, iterations, tokens_digest(source, target), show)
    path = Path(output) if output else Path(recipe) / FILE_NAME
    lexicon.save(path)
    entries = int((lexicon.translations > 0).sum())
    click.echo(f"{path}: {entries:,} entries from {len(pairs.source_lengths):,} pairs, {path.stat().st_size / 2**20:.1f} MiB")
    training = experiment.recipe.training
    if training and training.validation and training.validation.split in prepared.splits:
        split = training.validation.split
        click.echo(f"  {held(lexicon, target.vocabulary, pairs_of(prepared.splits[split], examples))} of {split}")


def pairs_of(columns: Any, most: int) -> Any:
    """The pairs of a split, or `most` of them evenly spread, without end ids."""
    from seqcfg.component.reserved_ids import END
    from seqcfg.decoding.lexicon import Pairs
    from seqcfg.lazy import np

    number = columns.num_examples
    ids = np.arange(number) if number <= most else np.arange(most) * number // most
    parts: list[Any] = []
    for name in ("source", "target"):
        values, lengths = columns.flat(name, ids)
        is_end = values == END
        of = np.repeat(np.arange(len(ids)), lengths)
        parts += [values[~is_end], lengths - np.bincount(of[is_end], minlength=len(ids))]
    return Pairs(*parts)


def held(lexicon: Any, vocabulary: int, pairs: Any) -> str:
    """What share of target tokens the shortlists of their sources hold, with the settings that a recipe has by default."""
    from seqcfg.decoding.shortlist import Shortlist, Shortlister
    from seqcfg.lazy import np

    shortlister, settings = Shortlister(Shortlist(), lexicon, vocabulary), Shortlist()
    source_ends, target_ends = np.cumsum(pairs.source_lengths), np.cumsum(pairs.target_lengths)
    found = total = sizes = 0
    for source_end, size, target_end, length in zip(
        source_ends, pairs.source_lengths, target_ends, pairs.target_lengths, strict=True
    ):  # fmt: skip
        has = shortlister.tokens(pairs.source[None, source_end - size : source_end])[0]
        wanted = pairs.target[target_end - length : target_end]
        found, total, sizes = found + int(has[wanted].sum()), total + len(wanted), sizes + int(has.sum())
    return (
        f"shortlists of {sizes / max(1, len(source_ends)):.0f} tokens (frequent {settings.frequent}, per_token {settings.per_token})"
        f" hold {found / max(1, total):.2%} of the target tokens"
    )
