"""`seqcfg data`: looking at prepared data, and at raw corpora."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from seqcfg.errors import EXIT_PROBLEM, UserError
from seqcfg.recipe.experiment import load
from seqcfg.runs.directory import RunDirectory

SHOWN_FINDINGS = 10


@click.group()
def command() -> None:
    """Looks at prepared data, at the batch of any step, and for trouble in raw corpora."""


def with_data(function: Callable[..., None]) -> Callable[..., None]:
    """The argument and options that all of these commands have."""
    for option in (
        click.option("--cache-root", type=click.Path(), help="Folder of prepared data; else $SEQCFG_CACHE, else ./prepared."),
        click.option("--data-root", type=click.Path(), help="Folder of the corpora; else $SEQCFG_DATA, else ./data."),
        click.option(
            "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value of the recipe; may be given several times."
        ),
        click.argument("recipe", metavar="RECIPE|RUN", type=click.Path()),
    ):
        function = option(function)
    return function


@command.command()
@with_data
@click.option(
    "--step", type=click.IntRange(min=0), default=0, show_default=True, help="Number of finished updates; the batch of the next one."
)
@click.option("--rows", type=click.IntRange(min=1), default=5, show_default=True, help="How many examples of each batch to print.")
def show(recipe: str, overrides: tuple[str, ...], data_root: str | None, cache_root: str | None, step: int, rows: int) -> None:
    """Prints what the training step after STEP updates sees: lengths, padding, decoded text and packed segments.

    Of a RUN that went back and passed over batches (training.roll_back) it prints the batch that the run took.
    """
    from seqcfg.data.preview import describe_batch
    from seqcfg.training.inputs import training_loader
    from seqcfg.training.roll_back import history_of

    experiment = _experiment(recipe, overrides)
    prepared = _prepared(experiment, recipe, data_root, cache_root)
    training = experiment.recipe.training
    history = history_of(RunDirectory.open(recipe).checkpoints) if RunDirectory.is_run(recipe) else []
    loader = training_loader(experiment, prepared, history)
    parts = getattr(training, "accumulate_batches", 1) if training else 1
    for number in range(step * parts, (step + 1) * parts):
        for line in describe_batch(loader, prepared.codecs, number, rows):
            click.echo(line)


@command.command()
@with_data
@click.option("--picture", type=click.Path(dir_okay=False), help="Write the histograms into this SVG file, too.")
def stats(recipe: str, overrides: tuple[str, ...], data_root: str | None, cache_root: str | None, picture: str | None) -> None:
    """Prints how long the examples of RECIPE are, by split and feature, what was dropped, and what other splits share with training."""
    from seqcfg.data.histogram import as_svg, as_text, of_lengths

    experiment = _experiment(recipe, overrides)
    prepared = _prepared(experiment, recipe, data_root, cache_root)
    features, histograms = experiment.recipe.task.features(), []
    for split, columns in prepared.splits.items():
        entry = prepared.manifest["splits"][split]
        for name, feature in features.items():
            if feature.is_ragged and feature.dtype != "bytes":
                counted = entry["statistics"].get(name, {"unknown": 0, "tokens": 0})
                unknown = counted["unknown"] / max(1, counted["tokens"])
                histograms.append(of_lengths(f"{split}.{name}", columns.lengths(name), unknown))
    for histogram in histograms:
        for line in as_text(histogram):
            click.echo(line)
    for line in dropped_lines(prepared.manifest):
        click.echo(line)
    if picture:
        Path(picture).write_text(as_svg(histograms), encoding="utf-8")
        click.echo(f"picture in {picture}")


@command.command()
@with_data
@click.option("--limit", type=click.IntRange(min=0), default=SHOWN_FINDINGS, show_default=True, help="Findings of each kind to print.")
def lint(recipe: str, overrides: tuple[str, ...], data_root: str | None, cache_root: str | None, limit: int) -> None:
    """Reads the raw corpora of RECIPE and prints what looks wrong, with file and line; exit code 1 if anything does.

    Damaged, empty, duplicate and very unequal texts, held-out examples that training has, too, signs of a wrong
    encoding or script, tokens that the tokenizer does not know (once data is prepared); silent or clipped audio and
    other sample rates.
    """
    from seqcfg.data.lint import Linter
    from seqcfg.data.prepare import find_prepared
    from seqcfg.data.progress import prepare_bar
    from seqcfg.data.root import DataRoot

    experiment = _experiment(recipe, overrides)
    prepared = find_prepared(experiment, data_root=data_root, cache_root=cache_root)
    features = experiment.recipe.task.features()
    codecs = {one.field: prepared.codecs[one.tokenizer] for one in features.values() if one.tokenizer} if prepared else {}
    linter = Linter(experiment.recipe.data, {one.field for one in features.values()}, codecs, DataRoot(data_root, cache_root))
    with prepare_bar() as progress:
        for finding in linter.findings(progress):
            if linter.counts[finding.kind] <= limit:
                click.echo(f"{finding.place}: {finding.kind}: {finding.message}")
    read = ", ".join(f"{split} {count:,}" for split, count in linter.read.items())
    found = ", ".join(f"{count:,} {kind}" for kind, count in linter.counts.most_common()) or "nothing suspicious"
    click.echo(f"{found} in {read} examples" + ("" if prepared else "; unknown tokens were not looked for: the data is not prepared"))
    if linter.counts:
        click.get_current_context().exit(EXIT_PROBLEM)


def dropped_lines(manifest: dict[str, Any]) -> list[str]:
    """What was dropped of each split, with examples, and what held-out splits share with training."""
    lines = []
    for name, entry in manifest["splits"].items():
        counts = entry["counts"]
        kinds = {kind: counts[kind] for kind in ("empty", "bad") if counts[kind]} | counts.get("filtered", {})
        if kinds:
            told = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
            lines.append(f"{name}: dropped {told} of {counts['read']:,}")
            lines += [f"    {place}" for place in counts["dropped"]]
    for name, found in manifest.get("leaks", {}).items():
        if any(found.values()):
            told = ", ".join(f"{count:,} {what}" for what, count in found.items())
            lines.append(f"{name}: training has, too: {told} of {manifest['splits'][name]['examples']:,}")
    return lines


def _experiment(recipe: str, overrides: tuple[str, ...]) -> Any:
    """Of a recipe, or of a run as it was trained."""
    return load(str(RunDirectory.open(recipe).resolved) if RunDirectory.is_run(recipe) else recipe, overrides)


def _prepared(experiment: Any, recipe: str, data_root: str | None, cache_root: str | None) -> Any:
    from seqcfg.data.prepare import find_prepared

    prepared = find_prepared(experiment, data_root=data_root, cache_root=cache_root)
    if prepared is None:
        raise UserError(f"{recipe}: its data is not prepared yet", hint=f"run `seqcfg prepare {recipe}`")
    return prepared
