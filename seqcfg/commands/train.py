"""`seqcfg train`: from a recipe to a trained run, or onward from where a run stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seqcfg.recipe.experiment import load
from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.lock import RunLock
from seqcfg.training.profiling import parse_steps
from seqcfg.training.stopping import Stopping


@click.command()
@click.argument("recipe", metavar="RECIPE|RUN", type=click.Path())
@click.option("--run", "run_folder", type=click.Path(), help="Folder of the run; else runs/NAME. An interrupted run goes on.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value of the recipe; may be given several times.")
@click.option("--data-root", type=click.Path(), help="Folder of the corpora; else $SEQCFG_DATA, else ./data.")
@click.option("--cache-root", type=click.Path(), help="Folder of prepared data; else $SEQCFG_CACHE, else ./prepared.")
@click.option("--profile", metavar="steps=FIRST:LAST", help="Trace these steps for TensorBoard and print what took the time.")
def command(
    recipe: str, run_folder: str | None, overrides: tuple[str, ...], data_root: str | None, cache_root: str | None, profile: str | None
) -> None:
    """Trains RECIPE into a run directory; the same command again continues after the newest checkpoint.

    The first SIGINT or SIGTERM finishes the step and saves; a second one ends the process at once. A RUN that goes on
    takes --set for what does not change the experiment: steps, budgets, intervals, what is kept and what is watched.
    """
    with Stopping() as stopping:
        stopping.has_state = False  # until training begins, a signal ends the process at once
        bounds = parse_steps(profile) if profile else None
        if RunDirectory.is_run(recipe):
            run_folder, recipe = run_folder or recipe, str(RunDirectory.open(recipe).resolved)
        experiment: Any = load(recipe, overrides)
        folder = Path(run_folder or Path("runs") / experiment.name)
        training = experiment.recipe.training
        stopping.max_minutes, stopping.grace_seconds = training.max_minutes, training.grace_seconds
        RunLock(RunDirectory.of_process(folder, training.strategy.process())).probe()
        from seqcfg.data.prepare import prepare
        from seqcfg.data.progress import prepare_bar

        with prepare_bar() as progress:
            prepared = prepare(experiment, progress, data_root=data_root, cache_root=cache_root)
        from seqcfg.training.run import train

        code = train(experiment, prepared, folder, lambda line: click.echo(line, err=True), stopping, bounds)
    if code == 0 and not training.strategy.process():
        click.echo(f"trained: {folder}\nnext: seqcfg evaluate {folder}")
    raise SystemExit(code)
