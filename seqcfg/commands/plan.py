"""`seqcfg plan`: the weights of a recipe before any of them exists."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from seqcfg.plan import memory, table
from seqcfg.plan.positions import frames_of, lengths_of
from seqcfg.plan.sharing import per_device
from seqcfg.recipe.experiment import Experiment, load
from seqcfg.training.pruning import num_zeros

SHOWN_SECONDS = 10.0
DEPTH = 2  # task / model / its parts


@click.command()
@click.argument("recipe", type=click.Path())
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value; PATH! removes it.")
@click.option("--format", type=click.Choice(["text", "json", "golden"]), default="text", show_default=True, help="How it is printed.")
@click.option("--widths", is_flag=True, help="Print the output width of every layer instead of the weights.")
def command(recipe: str, overrides: tuple[str, ...], format: str, widths: bool) -> None:
    """Prints every weight of RECIPE, counts, multiply-adds and an estimate of memory; never loads TensorFlow."""
    experiment = load(recipe, overrides, allow_base=True)
    if format == "golden":
        click.echo(table.golden(experiment.declaration), nl=False)
    elif format == "json":
        click.echo(json.dumps(as_json(experiment), indent=2))
    else:
        click.echo(_widths(experiment) if widths else _weights(experiment))
        click.echo("\n" + _parts(experiment))
        if found := _frames(experiment):
            click.echo(found)
        click.echo("\n" + _memory(experiment))


def as_json(experiment: Experiment) -> dict[str, object]:
    """The whole plan as plain values; sizes in numbers, memory in bytes."""
    declaration = experiment.declaration
    frames = frames_of(experiment.recipe.task, declaration, SHOWN_SECONDS)
    return {
        "name": experiment.name,
        "total": table.total(declaration),
        "trainable": table.total(declaration, only_trainable=True),
        "vocabularies": experiment.vocabularies,
        "zeros": num_zeros(experiment.recipe.training, declaration),
        "weights": [dataclasses.asdict(row) for row in table.rows(declaration)],
        "parts": [dataclasses.asdict(part) for part in table.parts(declaration, DEPTH)],
        "widths": [{"path": path, "type": type_, "output": width} for path, type_, width in table.widths(declaration)],
        "frames": None if frames is None else dataclasses.asdict(frames),
        "memory": dataclasses.asdict(found := memory.of_recipe(experiment.recipe, declaration)) | {"peak": found.peak},
        "per_device": None if (share := per_device(experiment.recipe, declaration)) is None else dataclasses.asdict(share),
    }


def _weights(experiment: Experiment) -> str:
    rows = table.rows(experiment.declaration)
    lines = [(row.path, row.shape, f"{row.size:,}", row.initializer, "" if row.trainable else "not trained") for row in rows]
    return _columns([("weight", "shape", "size", "initializer", ""), *lines], right={2})


def _widths(experiment: Experiment) -> str:
    declaration: Any = experiment.declaration
    task: Any = experiment.recipe.task
    lines = [(path or "task", type_, str(width)) for path, type_, width in table.widths(declaration)]
    if "front_end" not in declaration.children:
        return _columns([("layer", "type", "output width"), *lines], right={2})
    lengths = lengths_of(declaration, round(SHOWN_SECONDS * task.sample_rate_hz))
    title = f"positions of {SHOWN_SECONDS:g} s"
    return _columns([("layer", "type", "output width", title), *((*line, str(lengths.get(line[0], ""))) for line in lines)], right={2, 3})


def _parts(experiment: Experiment) -> str:
    declaration = experiment.declaration
    lines = [
        (part.path, part.type, f"{part.weights:,}", f"{part.multiply_adds:,}", str(part.output)) for part in table.parts(declaration, DEPTH)
    ]
    size, trained = table.total(declaration), table.total(declaration, only_trainable=True)
    lines.append(("total", "", f"{size:,}", f"{table.multiply_adds(declaration):,}", ""))
    text = _columns([("part", "type", "weights", "multiply-adds per position", "output width"), *lines], right={2, 3, 4})
    text = text if size == trained else f"{text}\n{trained:,} of them are trained"
    if zeros := num_zeros(experiment.recipe.training, declaration):
        text += f"\n{zeros:,} of them are 0 in the end ({zeros / size:.1%})"
    return text


def _frames(experiment: Experiment) -> str:
    """What becomes of a sound; nothing for other tasks."""
    found = frames_of(experiment.recipe.task, experiment.declaration, SHOWN_SECONDS)
    if found is None:
        return ""
    behind = "" if found.encoded is None else f", {found.encoded:,} behind the encoder"
    return f"{found.seconds:g} s of sound are {found.samples:,} samples: {found.frames:,} frames of width {found.width}{behind}"


def _memory(experiment: Experiment) -> str:
    found = memory.of_recipe(experiment.recipe, experiment.declaration)
    tokens = memory.batch_tokens(experiment.recipe.data)
    units = memory.in_units
    lines = [
        f"memory in training, about {units(found.peak)}:",
        f"  Python and TensorFlow {units(found.process)}, the step's graph {units(found.graph)}",
        f"  weights {units(found.weights)}, optimizer {units(found.slots)}"
        + "".join(f", {name} {units(size)}" for name, size in (("averages", found.averages), ("masks", found.masks)) if size),
        f"  for an update {units(found.update)}",
    ]
    if batch := memory.largest_batch(experiment.recipe):
        lines[-1] = f"  or, if that is more, {lines[-1].strip()}"
        lines.insert(
            -1,
            f"  kept for gradients {units(found.activations)} and at work {units(found.work)}, for a batch of {tokens:,} positions"
            f" in {batch.rows} sequences",
        )
    if share := per_device(experiment.recipe, experiment.declaration):
        lines.append(f"on each of {share.devices} devices, at least {units(share.training)}: {share.numbers:,} numbers of weights")
        lines.append(
            f"  weights {units(share.weights)}, gradients {units(share.gradients)}, optimizer {units(share.slots)}, "
            f"outputs of layers {units(share.activations)}"
        )
    lines.append(f"disk: {units(found.checkpoint)} per checkpoint, {units(found.checkpoints)} for all that are kept")
    return "\n".join(lines)


def _columns(rows: list[tuple[str, ...]], right: set[int]) -> str:
    sizes = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(size) if index in right else cell.ljust(size) for index, (cell, size) in enumerate(zip(row, sizes, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
