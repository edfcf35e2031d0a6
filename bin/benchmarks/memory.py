"""What a process that trains holds at most, beside what `seqcfg plan` says."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from benchmarks import generated
from benchmarks.threads import use_threads


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--recipe", required=True, help="file of the recipe")
    command.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override a value of the recipe")
    command.add_argument("--rows", type=int, help="sequences of a batch; as many of the longest as the recipe's budget holds")
    command.add_argument("--length", type=int, help="positions of each, in the recipe's unit; its max_length if left out")
    command.add_argument("--steps", type=int, default=4, help="updates behind the first")
    command.add_argument("--threads", type=int, default=0, help="threads of TensorFlow; 0 for as many as cores")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Largest resident memory of this process while it trains on made-up batches, and the plan's estimate for the same batch, in MiB."""
    from seqcfg.plan import memory
    from seqcfg.recipe.experiment import load
    from seqcfg.runs.machine import peak_bytes

    experiment = load(options.recipe, options.set)
    batch = _batch(options, experiment.recipe)
    planned = memory.of_recipe(experiment.recipe, experiment.declaration, batch)
    use_threads(options.threads)
    run = generated.training(experiment, generated.dataset(experiment, batch))
    peaks = []
    for _ in range(1 + options.steps):
        run(1)
        peaks.append(round(peak_bytes() / memory.MIB, 1))
    predicted = planned.peak / memory.MIB
    parts = {name: round(size / memory.MIB, 1) for name, size in dataclasses.asdict(planned).items()}
    return {
        "recipe": experiment.name,
        "batch": dataclasses.asdict(batch),
        "predicted_mib": round(predicted, 1),
        "measured_mib": peaks[-1],
        "ratio": round(predicted / peaks[-1], 3),
        "measured_after_each_step": peaks,
        "parts_mib": parts,
    }


def _batch(options: argparse.Namespace, recipe: Any) -> Any:
    from seqcfg.plan import memory

    batching = recipe.data.batching
    length = options.length or batching.max_length
    return memory.batch_of(recipe.task, options.rows or batching.max_tokens // length, length)
