"""`seqcfg average`: a checkpoint whose weights are the mean of others'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command(name="average")
@click.argument("run", type=click.Path())
@click.option("--last", type=click.IntRange(min=1), help="Average the newest so many; 5 when nothing else is chosen.")
@click.option("--best", type=click.IntRange(min=1), help="Average the best so many by evaluation.best.")
@click.option("--step", "steps", type=click.IntRange(min=0), multiple=True, help="Average the checkpoints of these steps; may be repeated.")
@click.option("--output", type=click.Path(), help="Folder to write to; else RUN/averages/NAME.")
def command(run: str, last: int | None, best: int | None, steps: tuple[int, ...], output: str | None) -> None:
    """Averages weights over checkpoints of RUN (arXiv:1605.04809, section 2.4) and stores them as a checkpoint of its own.

    evaluate, decode and export take its folder with --checkpoint. Where training kept a moving average, that is averaged.
    """
    from seqcfg.checkpoints.commit import save
    from seqcfg.errors import UserError
    from seqcfg.lazy import tf
    from seqcfg.recipe.experiment import load
    from seqcfg.runs.directory import RunDirectory
    from seqcfg.tasks.trained import mean_weights

    if sum(map(bool, (last, best, steps))) > 1:
        raise UserError("--last, --best and --step each choose the checkpoints", hint="give one of them")
    directory = RunDirectory.open(run)
    experiment: Any = load(str(directory.resolved))
    chosen = _chosen(directory, experiment.recipe.evaluation.best, last, best, steps)
    weights = {f"weights/{path}": tf.Variable(value) for path, value in mean_weights(chosen).items()}
    name = f"{'best' if best else 'steps' if steps else 'last'}-{len(chosen)}"
    averaged = [info.step for info in chosen]
    folder = save(Path(output) if output else directory.folder / "averages" / name, averaged[-1], weights, {"averaged": averaged})
    click.echo(f"averaged {len(chosen)} checkpoints, steps {', '.join(map(str, averaged))}: {folder}")
    click.echo(f"next: seqcfg evaluate {run} --checkpoint {folder}")


def _chosen(run: Any, by: Any, last: int | None, best: int | None, steps: tuple[int, ...]) -> list[Any]:
    """The checkpoints, oldest first; raises UserError when some are not there or damaged."""
    from seqcfg.checkpoints.commit import choose
    from seqcfg.checkpoints.read import find
    from seqcfg.errors import UserError

    there = {info.step: info for info in find(run.checkpoints)}
    if best:
        wanted = choose(run.checkpoints, last=0, best=best, metric=by.metric, is_higher_better=by.goal == "maximize")
    else:
        wanted = set(steps) or set(sorted(there)[-(last or 5) :])
    count = best or len(set(steps)) or last or min(5, len(there)) or 1
    missing = sorted(wanted - set(there))
    if missing or len(wanted) < count:
        what = f"no checkpoint of step {missing[0]}" if missing else f"{len(wanted)} checkpoints to choose from, and {count} are wanted"
        listed = ", ".join(str(step) for step in sorted(there)) or "none"
        raise UserError(f"{run.checkpoints} holds {what}", hint=f"there are {listed}")
    return [there[step] for step in sorted(wanted)]
