"""`seqcfg replay`: one update of a run, made again and taken apart."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from seqcfg.recipe.experiment import load
from seqcfg.runs.directory import RunDirectory


@click.command()
@click.argument("run", type=click.Path())
@click.option("--step", type=click.IntRange(min=1), required=True, help="Number of the update; records.jsonl calls it by the same.")
@click.option("--rows", type=click.IntRange(min=1), default=10, show_default=True, help="How many examples and weights to print.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How it is printed.")
@click.option("--data-root", type=click.Path(), help="Folder of the corpora; else $SEQCFG_DATA, else ./data.")
@click.option("--cache-root", type=click.Path(), help="Folder of prepared data; else $SEQCFG_CACHE, else ./prepared.")
def command(run: str, step: int, rows: int, style: str, data_root: str | None, cache_root: str | None) -> None:
    """Makes update STEP of RUN again from the checkpoint before it, and compares it with the run's own bits.

    Shows the loss of each example, the gradient's norm of each weight, and the first value that is not finite. Nothing
    in RUN changes. Exit code 1 when the bits differ, which they may on another processor.
    """
    from seqcfg.data.prepare import prepare
    from seqcfg.data.progress import prepare_bar

    directory = RunDirectory.open(run)
    experiment: Any = load(str(directory.resolved))
    with prepare_bar() as progress:
        prepared = prepare(experiment, progress, data_root=data_root, cache_root=cache_root)
    from seqcfg.training.replay import replay

    done = replay(experiment, prepared, directory, step, lambda line: click.echo(line, err=True))
    if style == "json":
        click.echo(json.dumps(dataclasses.asdict(done), ensure_ascii=False))
    else:
        for line in _lines(done, rows):
            click.echo(line)
    raise SystemExit(1 if done.agrees is False or done.differing else 0)


def _lines(done: Any, rows: int) -> list[str]:
    measured, seen = done.measured, done.examination
    per_position = measured["total"] / max(measured["weight"], 1.0)
    origin = f"the checkpoint of step {done.start}" if done.start else "the start"
    lines = [f"update {done.step}, made again from {origin}"]
    lines.append(f"loss {per_position:.6g} over {measured['weight']:.0f} positions")
    lines.append(f"gradient norm {measured['norm']:.6g}, rate {measured['rate']:.3e}")
    lines.append(_verdict(done))
    if seen.first_non_finite:
        lines.append(f"not finite: {seen.first_non_finite}")
    lines.append(f"\nloss per position of {len(seen.examples)} examples, largest first")
    for one in sorted(seen.examples, key=lambda one: (one.mean == one.mean, -one.mean))[:rows]:
        lines.append(f"  {one.mean:10.4f}  example {one.example}  " + " | ".join(one.texts.values()))
    lines.append(f"\ngradient norm of {len(seen.gradient_norms)} weights, largest first")
    for path, norm in sorted(seen.gradient_norms.items(), key=lambda item: (item[1] == item[1], -item[1]))[:rows]:
        lines.append(f"  {norm:12.6g}  {path}")
    return lines


def _verdict(done: Any) -> str:
    parts = {
        True: "loss and gradient norm have the run's bits",
        False: "loss or gradient norm DIFFER from the run's bits",
        None: "the run recorded no bits of this update",
    }
    verdict = parts[done.agrees]
    if done.differing is None:
        return verdict
    if not done.differing:
        return f"{verdict}; all variables have the bits of the checkpoint of this step"
    return f"{verdict}; {len(done.differing)} variables DIFFER from the checkpoint of this step, {done.differing[0]} first"
