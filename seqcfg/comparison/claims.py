"""Claims: what recipes say that a run must reach, beside what their sources published and what was measured last.

Measurements lie in measured.jsonl beside the recipes, a line for each recipe: the run directories they came from may be gone.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seqcfg.comparison.changes import changes
from seqcfg.comparison.facts import hardware_words
from seqcfg.comparison.outcome import evaluations
from seqcfg.comparison.sides import Side, open_side
from seqcfg.component.catalog import load as catalog
from seqcfg.errors import UserError
from seqcfg.evaluation.claims import Outcome
from seqcfg.plan import table
from seqcfg.recipe.experiment import Experiment, load
from seqcfg.runs.catalogue import list_runs
from seqcfg.runs.durable import write_file

MEASURED = "measured.jsonl"


@dataclasses.dataclass(frozen=True)
class Measurement:
    """The last run of a recipe that was recorded: day, hardware, minutes of training, scores, and what to know of it.

    scores are {"metric", "split", "value", "checkpoint"}; step is where it stood, None where nobody noted that.
    """

    when: str
    hardware: str
    minutes: float
    step: int | None
    scores: list[dict[str, Any]]
    note: str = ""

    def value(self, metric: str, split: str) -> float | None:
        """The score of a metric on a split, None where it was not measured."""
        return next((one["value"] for one in self.scores if (one["metric"], one["split"]) == (metric, split)), None)


@dataclasses.dataclass(frozen=True)
class Row:
    """One recipe: `name` is area/file below the folder; outcomes are its claims held against the measurement."""

    name: str
    experiment: Experiment
    measurement: Measurement | None
    outcomes: list[Outcome]

    @property
    def parameters(self) -> int:
        return table.total(self.experiment.declaration)

    @property
    def missed(self) -> list[Outcome]:
        """Claims that were measured and not reached."""
        return [one for one in self.outcomes if one.measured is not None and not one.holds]


def rows(folder: Path) -> list[Row]:
    """Every recipe below a folder that can be run, by name; raises RecipeError where one is not valid."""
    measured = read_measured(folder)
    found = []
    for file in sorted(folder.rglob("*.yaml")):
        experiment = load(file, allow_base=True)
        if experiment.recipe.data is not None:
            name = file.relative_to(folder).with_suffix("").as_posix()
            found.append(Row(name, experiment, measured.get(name), outcomes(experiment, measured.get(name))))
    if unknown := measured.keys() - {row.name for row in found}:
        raise UserError(f"{folder / MEASURED}: there is no recipe {min(unknown)!r}", hint="rename or remove its entry")
    return found


def outcomes(experiment: Experiment, measurement: Measurement | None) -> list[Outcome]:
    """Each claim of a recipe with the value that was measured, None where it was not."""
    found = []
    for claim in experiment.recipe.claims:
        label, better = _metric(experiment, claim.metric)
        value = measurement.value(label, claim.split) if measurement is not None else None
        found.append(Outcome(claim.metric, claim.split, claim.value, claim.tolerance, value, better))
    return found


def read_measured(folder: Path) -> dict[str, Measurement]:
    """{recipe name: its last measurement}; empty where none was recorded. Raises UserError where the file is damaged."""
    path = folder / MEASURED
    try:
        told = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return {one.pop("recipe"): Measurement(**one) for one in told}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise UserError(f"{path}: cannot be read: {error}", hint="restore it from a copy") from error


def record(folder: Path, run: str) -> tuple[str, Measurement]:
    """Puts what a run was evaluated to into measured.jsonl; returns the recipe's name and the measurement.

    The recipe is the one of the run's name. Values in which the run's recipe differs from it are noted. Raises UserError
    when there is no such recipe, or when the run was not evaluated on what the recipe claims.
    """
    side = open_side(run)
    row = next((row for row in rows(folder) if row.experiment.name == side.experiment.name), None)
    if row is None:
        raise UserError(f"{folder} holds no recipe called {side.experiment.name!r}, as {run} is", hint="train a recipe of this folder")
    measurement = measure(side, open_side(row.experiment.file))
    for one in outcomes(row.experiment, measurement):
        if one.measured is None:
            message = f"{run}: {one.metric} was not measured on {one.split!r}, as a claim of the recipe needs"
            raise UserError(message, hint=f"seqcfg evaluate {run} --split {one.split}")
    told = read_measured(folder) | {row.name: measurement}
    lines = [json.dumps({"recipe": name} | dataclasses.asdict(one), ensure_ascii=False) + "\n" for name, one in sorted(told.items())]
    write_file(folder / MEASURED, "".join(lines))
    return row.name, measurement


def with_runs(found: list[Row], folder: Path) -> list[Row]:
    """The rows with what runs below a folder were evaluated to, where that is as new as what was recorded, or newer.

    A run counts for the recipe of its name; values in which it differs from it are noted. Of several the newest counts.
    """
    newest: dict[str, Measurement] = {row.experiment.name: row.measurement for row in found if row.measurement is not None}
    recipes = {row.experiment.name: row.experiment for row in found}
    for run in sorted(
        (run for run in list_runs(folder) if run.is_whole and run.metrics and run.name in recipes), key=lambda run: run.ended
    ):
        one = measure(open_side(str(run.folder)), open_side(recipes[run.name].file))
        if run.name not in newest or one.when >= newest[run.name].when:
            newest[run.name] = one
    return [_with(row, newest.get(row.experiment.name)) for row in found]


def _with(row: Row, measurement: Measurement | None) -> Row:
    return dataclasses.replace(row, measurement=measurement, outcomes=outcomes(row.experiment, measurement))


def measure(side: Side, recipe: Side) -> Measurement:
    """What a run reached: of each split its newest evaluation. Raises UserError for a recipe and for a run without evaluations."""
    if side.run is None or side.manifest is None or not side.manifest.attempts:
        raise UserError(f"{side.text} is no trained run", hint="seqcfg claims recipes/ --record RUN")
    newest = {one.split: one for one in sorted(evaluations(side), key=lambda one: not one.name)}  # usual ones last
    if not newest:
        raise UserError(f"{side.text} was not evaluated yet", hint=f"seqcfg evaluate {side.text}")
    scores = [
        {"metric": name, "split": one.split, "value": round(float(score["value"]), 4), "checkpoint": one.checkpoint}
        for one in newest.values()
        for name, score in one.scores.items()
        if score.get("value") is not None
    ]
    last = side.manifest.attempts[-1]
    step = side.history.step if side.history is not None else 0
    seconds = side.history.seconds if side.history is not None else 0.0
    when = (last.finished or last.started)[:10]
    return Measurement(when, hardware_words(last), round(seconds / 60, 1), step, scores, _note(side, recipe, step))


def _note(side: Side, recipe: Side, step: int) -> str:
    steps = getattr(side.experiment.recipe.training, "steps", 0)
    differing = [change.path for change in changes([recipe, side]) if change.part != "cosmetic"]
    told = [f"stopped at step {step:,} of {steps:,}"] if step < steps else []
    return "; ".join([*told, *([f"differs from the recipe in {', '.join(differing)}"] if differing else [])])


def _metric(experiment: Experiment, name: str) -> tuple[str, str]:
    """(label, "higher" or "lower") of what a claim calls a metric: a label of evaluation.metrics, or a type."""
    metrics: Iterable[Any] = getattr(experiment.recipe.evaluation, "metrics", [])
    for metric in (*(one for one in metrics if one.label == name), *(one for one in metrics if one.type == name)):
        return metric.label, metric.better
    cls: Any = catalog()["metric"].get(name)
    return name, getattr(cls, "better", "higher")
