"""`seqcfg sweep`: a recipe with many settings and seeds, and what of it is more than noise."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import click

from seqcfg.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_PROBLEM, EXIT_RESUBMIT, UserError
from seqcfg.recipe.canonical import canonical
from seqcfg.recipe.experiment import load
from seqcfg.sweeps import jobs
from seqcfg.sweeps.plan import Plan
from seqcfg.sweeps.progress import FAILED, FINISHED
from seqcfg.sweeps.queue import Queue
from seqcfg.sweeps.space import parse_over, values_of
from seqcfg.sweeps.summary import as_plain, summarize

JOB_FILES = {"slurm": ("sweep.sbatch", "sbatch"), "kubernetes": ("sweep.job.yaml", "kubectl apply -f")}


@click.command()
@click.argument("target", metavar="RECIPE|SWEEP", type=click.Path())
@click.option("--over", multiple=True, metavar="PATH=VALUES", help="What to vary: path=a,b,c or path=low..high or path=low..high:log.")
@click.option("--seeds", type=click.IntRange(min=1), help="Runs of each setting.")
@click.option("--search", type=click.Choice(["grid", "random", "optuna"]), help="In which order settings are tried.")
@click.option("--trials", type=click.IntRange(min=1), help="How many settings random and optuna try.")
@click.option("--prune", type=click.Choice(["median", "halving", "none"]), help="When runs are given up early.")
@click.option("--metric", help="Validation figure to compare; else evaluation.best.metric.")
@click.option("--goal", type=click.Choice(["minimize", "maximize"]), help="Whether small or large is good.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a value of the recipe in all runs.")
@click.option("--sweep", "folder", type=click.Path(), help="Folder of the sweep; else sweeps/NAME. An interrupted sweep goes on.")
@click.option("--reuse", multiple=True, type=click.Path(exists=True), help="Folder of runs: finished ones of equal fingerprint count.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at a time.")
@click.option(
    "--on", "place", type=click.Choice(["local", "slurm", "kubernetes"]), default="local", help="Train here, or write a job file."
)
@click.option("--take", type=click.IntRange(min=1), help="Make so many runs of those that nobody works on, and leave: what a job does.")
@click.option("--dry-run", is_flag=True, help="Check and list all settings, and train nothing.")
@click.option("--status", is_flag=True, help="Print what is known so far, and train nothing.")
@click.option("--format", "style", type=click.Choice(["table", "json", "markdown"]), default="table", help="What is printed.")
@click.option(
    "--resources", multiple=True, metavar="NAME=VALUE", help="For job files: cpus, memory, gpus, minutes, partition, image, volume, mount."
)
@click.option("--data-root", type=click.Path(), help="Folder of the corpora; else $SEQCFG_DATA, else ./data.")
@click.option("--cache-root", type=click.Path(), help="Folder of prepared data; else $SEQCFG_CACHE, else ./prepared.")
def command(target: str, overrides: tuple[str, ...], folder: str | None, reuse: tuple[str, ...], **options: Any) -> int:
    """Trains RECIPE with each setting of its `sweep:` section or of --over, several seeds each, and compares them.

    A sweep that was killed goes on with the same command, or with its folder: runs that are done are not made again. A
    difference that is smaller than the noise of seeds is not called one.
    """
    plan = _plan(target, overrides, folder, reuse, options)
    if options["dry_run"]:
        return _list(plan)
    if options["status"]:
        if not Plan.is_sweep(plan.folder):
            raise UserError(
                f"no sweep was begun in {plan.folder}", hint="leave --status out to begin it, or name another folder with --sweep"
            )
        return _finish(Queue(plan), options["style"])
    plan.store()
    queue = Queue(plan)
    if not options["take"]:
        plan.check(queue.trials())
    if options["place"] != "local":
        return _write_job(plan, queue, options)
    return _work(plan, queue, options)


def _plan(target: str, overrides: tuple[str, ...], folder: str | None, reuse: tuple[str, ...], options: dict[str, Any]) -> Plan:
    """The sweep in a folder, or that of a recipe with what the options say; raises UserError."""
    asked = [name for name in ("over", "seeds", "search", "trials", "prune", "metric", "goal") if options[name]]
    if Plan.is_sweep(target):
        if asked or overrides or folder:
            raise click.UsageError(f"{target} has its settings already; give the recipe to change them")
        return Plan.open(target, to_train=not options["status"])
    experiment = load(target, overrides)
    settings = _settings(experiment, options)
    plan = Plan(Path(folder or Path("sweeps") / experiment.name), target, overrides, settings, reuse)
    if not plan.settings.over and plan.settings.seeds == 1:
        raise UserError(f"{target}: there is nothing to vary", hint="add a sweep: section, --over PATH=A,B or --seeds 3")
    return plan


def _settings(experiment: Any, options: dict[str, Any]) -> dict[str, Any]:
    """What the options say of the sweep section, as plain data to lay over the recipe's."""
    told: dict[str, Any] = {name: options[name] for name in ("seeds", "metric", "goal") if options[name]}
    over = dict(parse_over(text) for text in options["over"])
    if over:
        told["over"] = {path: value if isinstance(value, list) else canonical(value) for path, value in over.items()}
    if options["search"] or options["trials"]:
        own = getattr(experiment.recipe.sweep, "exploration", None)
        kind = options["search"] or getattr(own, "type", "random")
        told["exploration"] = {"type": kind} | ({"num_trials": options["trials"]} if options["trials"] else {})
    if options["prune"]:
        told["pruner"] = None if options["prune"] == "none" else {"type": options["prune"]}
    return told


def _list(plan: Plan) -> int:
    """Every setting, checked; what depends on results is told by its range."""
    queue, exploration, space = Queue(plan), plan.settings.exploration, plan.settings.over
    plan.check(queue.trials() or [{path: values_of(choice)[0] for path, choice in space.items()}])
    total = exploration.count(space)
    for index, values in enumerate(queue.trials()):
        click.echo(f"{index + 1:4}  " + "  ".join(f"{path}={json.dumps(value)}" for path, value in values.items()))
    click.echo(f"{total} settings x {plan.settings.seeds} seeds = {total * plan.settings.seeds} runs, compared by {plan.metric}")
    return EXIT_OK


def _work(plan: Plan, queue: Queue, options: dict[str, Any]) -> int:
    from seqcfg.sweeps.workers import Workers, clear_failures

    if not options["take"] and (failed := clear_failures(plan)):
        click.echo(f"{failed} runs that failed are tried again", err=True)
    roots = [part for name in ("data_root", "cache_root") if options[name] for part in (f"--{name.replace('_', '-')}", options[name])]
    workers = Workers(queue, tuple(roots), lambda line: click.echo(line, err=True))
    workers.run(options["workers"], options["take"])
    if workers.stopped_by:
        click.echo(f"stopped; 'seqcfg sweep {plan.folder}' goes on", err=True)
        return EXIT_INTERRUPTED if workers.stopped_by == 2 else EXIT_RESUBMIT
    return EXIT_OK if options["take"] else _finish(queue, options["style"])


def _finish(queue: Queue, style: str) -> int:
    """Prints the summary; exit code 1 where runs have failed."""
    from seqcfg.sweeps.table import as_markdown, as_table

    standings = queue.standings()
    summary = summarize(queue.plan, standings)
    if style == "json":
        click.echo(json.dumps(as_plain(summary), indent=1, ensure_ascii=False))
    elif style == "markdown":
        click.echo(as_markdown(summary))
    else:
        from rich.console import Console

        Console().print(as_table(summary))
        click.echo("\n".join(summary.verdict))
    best = summary.best
    if best is not None and style == "table":
        run = next(one for one in best.runs if one.state == FINISHED)
        click.echo(f"next: seqcfg evaluate {run.folder}")
    return EXIT_PROBLEM if any(one.state == FAILED for one in standings) else EXIT_OK


def _write_job(plan: Plan, queue: Queue, options: dict[str, Any]) -> int:
    """Writes the job file of a cluster into the sweep's folder and says how to submit it."""
    resources = _resources(options["resources"])
    name, submit = JOB_FILES[options["place"]]
    known = queue.standings()
    total = plan.settings.exploration.count(plan.settings.over) * plan.settings.seeds
    tasks = sum(one.is_open for one in known) if not plan.settings.exploration.looks_back else total - sum(not one.is_open for one in known)
    if not tasks:
        click.echo("all runs are done; nothing is left for a job")
        return EXIT_OK
    roots = [part for key in ("data_root", "cache_root") if options[key] for part in (f"--{key.replace('_', '-')}", options[key])]
    if options["place"] == "slurm":
        command = [sys.executable, "-m", "seqcfg", "sweep", str(plan.folder.resolve()), "--take", "1", *roots]
        text = jobs.slurm(plan.experiment.name, command, tasks, options["workers"], resources, (plan.folder / "logs").resolve())
    else:
        if not (resources.image and resources.volume):
            raise UserError("a Kubernetes job needs an image and a volume", hint="--resources image=NAME --resources volume=CLAIM")
        command = ["seqcfg", "sweep", resources.mount, "--take", "1", *roots]
        text = jobs.kubernetes(plan.experiment.name, command, tasks, options["workers"], resources)
    path = plan.folder / name
    path.write_text(text, encoding="utf-8")
    click.echo(
        f"{path} written: {tasks} runs, {options['workers']} at a time\nnext: {submit} {path}, then seqcfg sweep {plan.folder} --status"
    )
    return EXIT_OK


def _resources(given: tuple[str, ...]) -> jobs.Resources:
    fields = {field.name: field for field in dataclasses.fields(jobs.Resources)}
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if name not in fields or not equals or not value:
            raise UserError(f"--resources {text}: is not NAME=VALUE", hint=f"names are {', '.join(fields)}")
        is_count = isinstance(fields[name].default, int)
        if is_count and not value.isdigit():
            raise UserError(f"--resources {text}: {name} is a whole number", hint=f"such as {name}=4")
        found[name] = int(value) if is_count else value
    return jobs.Resources(**found)
