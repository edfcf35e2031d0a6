"""`seqcfg checkpoint`: the checkpoints of a run, listed, verified, averaged, exported and pruned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from seqcfg.checkpoints import commit
from seqcfg.checkpoints.contents import DamagedCheckpoint
from seqcfg.checkpoints.portable import FORMATS
from seqcfg.checkpoints.read import CheckpointInfo, find
from seqcfg.commands import average
from seqcfg.errors import UserError
from seqcfg.recipe.experiment import load
from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.lock import RunLock

STYLE = click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True, help="What is printed.")


@click.group()
def command() -> None:
    """Lists, verifies, averages, exports or prunes the checkpoints of a run."""


command.add_command(average.command)


@command.command(name="list")
@click.argument("run", type=click.Path())
@STYLE
def list_(run: str, style: str) -> None:
    """Lists the checkpoints of RUN with their size and validation figures; reads no weights."""
    directory, found = _open(run)
    best = _experiment(directory).recipe.evaluation.best
    chosen = commit.choose(directory.checkpoints, last=0, best=1, metric=best.metric, is_higher_better=best.goal == "maximize")
    rows = [_row(info, info.step in chosen, info is found[-1]) for info in found]
    if style == "json":
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    names = sorted({name for row in rows for name in row["metrics"]})
    table = Table("step", "MB", *names, "", box=None, pad_edge=False)
    for row in rows:
        figures = [f"{row['metrics'][name]:.4g}" if name in row["metrics"] else "" for name in names]
        marks = ", ".join(mark for mark in ("newest", "best") if row[mark]) or row["damage"]
        table.add_row(str(row["step"]), f"{row['bytes'] / 1e6:.1f}", *figures, marks)
    Console().print(table)


@command.command()
@click.argument("run", type=click.Path())
@STYLE
def verify(run: str, style: str) -> None:
    """Compares every byte of every checkpoint of RUN with its checksum; exit code 1 when one is damaged."""
    damages = {info.step: (info.path.name, info.damage()) for info in _open(run)[1]}
    if style == "json":
        click.echo(json.dumps([{"step": step, "damage": damage} for step, (_, damage) in damages.items()], ensure_ascii=False))
    else:
        for name, damage in damages.values():
            click.echo(damage or f"{name}: whole")
    raise SystemExit(1 if any(damage for _, damage in damages.values()) else 0)


@command.command()
@click.argument("run", type=click.Path())
@click.option("--checkpoint", default="best", show_default=True, help="best, last, average:N, a step number or the folder of a checkpoint.")
@click.option("--format", "style", type=click.Choice(sorted(FORMATS)), default="npz", show_default=True, help="Kind of file.")
@click.option("--output", type=click.Path(), help="File to write; else RUN/exports/LABEL.FORMAT.")
def export(run: str, checkpoint: str, style: str, output: str | None) -> None:
    """Writes the weights of RUN, by their paths, to one file that other programs read."""
    from seqcfg.checkpoints.portable import write_portable
    from seqcfg.tasks.trained import open_run

    trained = open_run(run, checkpoint, (), lambda line: click.echo(line, err=True))
    path = Path(output) if output else trained.run.exports / f"{trained.label}.{style}"
    about = {"recipe": trained.experiment.name, "checkpoint": trained.label, "step": str(trained.step)}
    write_portable(path, style, trained.weights, about)
    click.echo(f"{len(trained.weights)} weights of {trained.label}: {path}")


@command.command()
@click.argument("run", type=click.Path())
@click.option("--last", type=click.IntRange(min=1), help="Keep the newest so many; else training.checkpoint.keep_last.")
@click.option("--best", type=click.IntRange(min=0), help="Keep the best so many besides; else training.checkpoint.keep_best.")
@click.option("--keep", "steps", type=click.IntRange(min=0), multiple=True, help="Keep the checkpoint of this step; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted.")
def prune(run: str, last: int | None, best: int | None, steps: tuple[int, ...], dry_run: bool) -> None:
    """Deletes checkpoints of RUN; the newest that is whole is never among them. Refused while the run is at work."""
    directory, found = _open(run)
    recipe = _experiment(directory).recipe
    settings, by = recipe.training.checkpoint, recipe.evaluation.best
    with RunLock(directory.folder):
        kept = set(steps) | commit.choose(
            directory.checkpoints,
            last=last or settings.keep_last,
            best=settings.keep_best if best is None else best,
            metric=by.metric,
            is_higher_better=by.goal == "maximize",
        )
        if dry_run:
            whole = next((info.step for info in reversed(found) if not info.damage()), None)
            deleted = [info.step for info in found if info.step not in kept and info.step != whole and whole is not None]
        else:
            deleted = commit.prune(directory.checkpoints, kept)
    what = "would be deleted" if dry_run else "deleted"
    click.echo(f"{len(deleted)} of {len(found)} checkpoints {what}{': steps ' + ', '.join(map(str, deleted)) if deleted else ''}")


def _open(run: str) -> tuple[RunDirectory, list[CheckpointInfo]]:
    directory = RunDirectory.open(run)
    if not (found := find(directory.checkpoints)):
        raise UserError(f"{directory.checkpoints} holds no checkpoint yet", hint="train the run first")
    return directory, found


def _experiment(directory: RunDirectory) -> Any:
    return load(str(directory.resolved))


def _row(info: CheckpointInfo, is_best: bool, is_newest: bool) -> dict[str, Any]:
    size, metrics, damage = 0, {}, ""
    try:
        contents = info.contents
        size, metrics = sum(entry[0] for entry in contents.files.values()), contents.metadata.get("metrics", {})
    except DamagedCheckpoint as error:
        damage = error.problems[0].message
    numbers = {name: value for name, value in metrics.items() if isinstance(value, (int, float))}
    return {"step": info.step, "bytes": size, "metrics": numbers, "best": is_best, "newest": is_newest, "damage": damage}
