"""Training speed of one recipe in several precisions, in turns in one process."""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from typing import Any

from benchmarks import generated
from benchmarks.threads import use_threads


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--recipe", required=True, help="file of the recipe")
    command.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override a value of the recipe")
    command.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"], help="the first is what the others are compared with")
    command.add_argument("--rows", type=int, help="sequences of a batch; as many as the recipe's budget holds")
    command.add_argument("--length", type=int, default=32, help="positions of each, in the recipe's unit")
    command.add_argument("--window", type=float, default=2.0, help="own CPU-seconds of a window")
    command.add_argument("--turns", type=int, default=3, help="windows of each, taken in turns; medians count")
    command.add_argument("--threads", type=int, default=1, help="threads of TensorFlow; 0 for as many as cores")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Target tokens per own CPU-second of a recipe's training step in each precision on made-up batches, and ratios to the first."""
    from seqcfg.plan.memory import batch_of
    from seqcfg.recipe.experiment import load

    use_threads(options.threads)
    runs: dict[str, Any] = {}
    for precision in options.precisions:
        experiment = load(options.recipe, [*options.set, f"training.precision={precision}"])
        rows = options.rows or experiment.recipe.data.batching.max_tokens // options.length
        batch = batch_of(experiment.recipe.task, rows, options.length)
        runs[precision] = generated.training(experiment, generated.dataset(experiment, batch))
    generated.warm_up(runs.values())
    windows: dict[str, list[dict[str, float]]] = {precision: [] for precision in runs}
    for _ in range(options.turns):
        for precision, run in runs.items():
            windows[precision].append(generated.window(run, options.window))
    rates = {precision: [one["weight"] / one["cpu_seconds"] for one in seen] for precision, seen in windows.items()}
    first, *others = rates
    pairs = {name: [a / b for a, b in zip(rates[name], rates[first], strict=True)] for name in others}
    return {
        "recipe": experiment.name,
        "batch": dataclasses.asdict(batch),
        "target_tokens_per_cpu_second": {name: round(statistics.median(found), 1) for name, found in rates.items()},
        f"times_as_many_as_in_{first}": {
            name: {"median": round(statistics.median(found), 3), "min": round(min(found), 3), "max": round(max(found), 3)}
            for name, found in pairs.items()
        },
    }
