"""`seqcfg data`: looking at prepared data."""

from __future__ import annotations

from typing import Any

import click

from seqcfg.errors import UserError
from seqcfg.recipe.experiment import load


@click.group()
def command() -> None:
    """Looks at prepared data and at the batch of any step."""


@command.command()
@click.argument("recipe", type=click.Path())
@click.option(
    "--step", type=click.IntRange(min=0), default=0, show_default=True, help="Number of finished updates; the batch of the next one."
)
@click.option("--rows", type=click.IntRange(min=1), default=5, show_default=True, help="How many examples of each batch to print.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value of the recipe; may be given several times.")
@click.option("--data-root", type=click.Path(), help="Folder of the corpora; else $SEQCFG_DATA, else ./data.")
@click.option("--cache-root", type=click.Path(), help="Folder of prepared data; else $SEQCFG_CACHE, else ./prepared.")
def show(recipe: str, step: int, rows: int, overrides: tuple[str, ...], data_root: str | None, cache_root: str | None) -> None:
    """Prints what the training step after STEP updates of RECIPE sees: lengths, padding and decoded text."""
    from seqcfg.data.batches import training_plan
    from seqcfg.data.loader import Loader
    from seqcfg.data.prepare import find_prepared

    experiment: Any = load(recipe, overrides)
    prepared = find_prepared(experiment, data_root=data_root, cache_root=cache_root)
    if prepared is None:
        raise UserError(f"{recipe}: its data is not prepared yet", hint=f"run `seqcfg prepare {recipe}`")
    settings, training = experiment.recipe.data, experiment.recipe.training
    features = experiment.recipe.task.features()
    columns = prepared.splits[settings.training_split]
    plan = training_plan(columns, features, settings.batching, training.seed if training else 0)
    loader = Loader(columns, plan, features)
    parts = getattr(training, "accumulate_batches", 1) if training else 1
    for number in range(step * parts, (step + 1) * parts):
        for line in _lines(loader, prepared.codecs, number, rows):
            click.echo(line)


def _lines(loader: Any, codecs: dict[str, Any], number: int, rows: int) -> list[str]:
    batch, arrays = loader.plan.batch(number), loader.load(number)
    lines = [f"batch {number}: epoch {batch.epoch}, bucket {batch.bucket}, {int((batch.example_ids >= 0).sum())} examples"]
    ragged = [name for name, feature in loader.features.items() if feature.is_ragged]
    for name in ragged:
        tokens, shape = int(arrays[f"{name}_length"].sum()), arrays[name].shape
        lines.append(f"  {name} {'x'.join(map(str, shape))}: {tokens:,} steps, {1 - tokens / (shape[0] * shape[1]):.1%} padding")
    for row, example in list(enumerate(batch.example_ids))[:rows]:
        lines.append(f"  example {example}")
        for name in ragged:
            tokenizer, length = loader.features[name].tokenizer, int(arrays[f"{name}_length"][row])
            text = codecs[tokenizer].decode([arrays[name][row, :length].tolist()])[0] if tokenizer else ""
            lines.append(f"    {name} [{length}] {text}")
    return lines
