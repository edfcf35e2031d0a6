"""Side: one of the things that are compared: a recipe, a run, a run at a step, or a recipe of a git revision."""

from __future__ import annotations

import dataclasses
import functools
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seqcfg.checkpoints.read import find
from seqcfg.comparison.revisions import Staged, from_disk, from_git
from seqcfg.errors import RecipeError, UserError
from seqcfg.recipe import shipped
from seqcfg.recipe.experiment import Experiment, load
from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.history import History, read_history
from seqcfg.runs.manifest import read_manifest

FORMS = "a side is a recipe file, a run directory, RUN@STEP (or @best, @last), or REVISION:PATH of a git checkout"


@dataclasses.dataclass(frozen=True)
class Side:
    """`text` is as it was given, `label` names it in tables; `run` is None for a recipe, `step` None for a whole run.

    shown {file: name} where a file was read under another name; notes tell what was done to read it.
    """

    text: str
    label: str
    experiment: Experiment
    run: RunDirectory | None = None
    step: int | None = None
    shown: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def is_run(self) -> bool:
        return self.run is not None

    @functools.cached_property
    def history(self) -> History | None:
        """The records of the run up to its step; raises UserError where they are damaged."""
        if self.run is None:
            return None
        whole = read_history(self.run.records)
        return whole if self.step is None else _until(whole, self.step)

    @functools.cached_property
    def manifest(self) -> Any:
        """The RunManifest, or None for a recipe and for a run that never began to train."""
        return read_manifest(self.run.manifest) if self.run is not None and self.run.manifest.exists() else None


def open_sides(texts: Iterable[str]) -> list[Side]:
    """The sides named on the command line, with labels that tell them apart; raises UserError."""
    sides = [open_side(text) for text in texts]
    labels = short_names([side.text for side in sides])
    return [dataclasses.replace(side, label=label) for side, label in zip(sides, labels)]


def open_side(text: str) -> Side:
    """One side; never loads TensorFlow. Raises UserError for what is none, RecipeError for a recipe that is not valid."""
    path = Path(text)
    if path.is_dir():
        return _run(text, path, "")
    if path.is_file():
        return _recipe(text, text)
    if text.startswith(shipped.PREFIX):
        return _recipe(text, str(shipped.find(text)))
    folder, at, what = text.rpartition("@")
    if at and RunDirectory.is_run(folder):
        return _run(text, Path(folder), what)
    revision, colon, inner = text.partition(":")
    if colon and revision and inner:
        with tempfile.TemporaryDirectory() as place:
            return _staged(text, from_git(revision, inner, Path(place)))
    raise UserError(f"{text}: there is no such recipe or run", hint=FORMS)


def short_names(texts: list[str]) -> list[str]:
    """The shortest ends of the paths that differ from one another; equal paths get numbers."""
    parts = [re.split(r"[/\\]+", text.rstrip("/\\")) for text in texts]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{'/'.join(part)} ({number})" for number, part in enumerate(parts, 1)]


def _recipe(text: str, file: str) -> Side:
    try:
        experiment = load(file, allow_base=True)
    except RecipeError as error:
        if not any(problem.code == "E0242" for problem in error.problems):
            raise
        with tempfile.TemporaryDirectory() as place:
            return _staged(text, from_disk(file, Path(place)))
    return Side(text, text, experiment)


def _staged(text: str, staged: Staged) -> Side:
    try:
        experiment = load(staged.file, allow_base=True)
    except RecipeError as error:  # not where it was written for reading, but where its author knows it
        told = [dataclasses.replace(problem, file=staged.shown.get(problem.file, problem.file)) for problem in error.problems]
        raise RecipeError(told) from None
    return Side(text, text, experiment, shown=staged.shown, notes=tuple(staged.notes))


def _run(text: str, folder: Path, what: str) -> Side:
    run = RunDirectory.open(folder)
    recipe = _recipe(text, str(run.resolved))
    side = dataclasses.replace(recipe, run=run)
    return dataclasses.replace(side, step=_step(side, what)) if what else side


def _step(side: Side, what: str) -> int:
    """The step meant by a number, best or last."""
    assert side.run is not None and side.history is not None
    points, best = side.history.points, getattr(side.experiment.recipe.evaluation, "best", None)
    if what == "best" and best is not None:
        point = side.history.best(best.metric, best.goal == "maximize")
        if point is None:
            raise UserError(f"{side.text}: no validation measured {best.metric!r}", hint="name a step, or @last")
        return point.step
    steps = sorted({point.step for point in points} | {info.step for info in find(side.run.checkpoints)})
    if what == "last" and steps:
        return steps[-1]
    if what.isdecimal() and int(what) in steps:
        return int(what)
    known = ", ".join(map(str, steps[:20])) + (f" and {len(steps) - 20} more" if len(steps) > 20 else "")
    raise UserError(
        f"{side.text}: nothing is known of that step", hint=f"validated or saved were {known}" if steps else "nothing was saved yet"
    )


def _until(history: History, step: int) -> History:
    train = [record for record in history.train if record["step"] <= step]
    points = [point for point in history.points if point.step <= step]
    last = points[-1] if points else None
    tokens = last.tokens if last and last.step == step else sum(record.get("tokens", 0.0) for record in train)
    seconds = last.seconds if last and last.step == step else sum(record.get("seconds", 0.0) for record in train)
    return History(points, train, min(step, history.step), tokens, seconds)
