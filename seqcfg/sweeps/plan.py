"""Plan: a recipe, what is varied of it, and the folder that holds all its runs.

sweeps/NAME/
    sweep.json    the recipe's file, overrides and settings, so that `seqcfg sweep sweeps/NAME` goes on
    trials.jsonl  settings proposed so far, where later ones depend on earlier results
    index.jsonl   the run of each setting and seed
    recipes/      the resolved recipe of each run
    runs/         the runs, named by their values and fingerprint
    logs/, marks/ what each run printed, and how it ended
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seqcfg.errors import UserError
from seqcfg.recipe.canonical import canonical
from seqcfg.recipe.experiment import Experiment, load
from seqcfg.recipe.write import to_yaml
from seqcfg.runs.catalogue import Listed, list_runs
from seqcfg.runs.durable import write_file
from seqcfg.sweeps.settings import Sweep
from seqcfg.sweeps.space import Values, plain

SWEEP_FILE = "sweep.json"
FORMAT = 1
MAX_NAME = 64  # of a recipe


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep: trial number, its values, the seed, and what it is known by. `steps` are all that it will make."""

    trial: int
    values: Values
    seed: int
    name: str
    fingerprint: dict[str, str]
    steps: int


class Plan:
    """The settings of a sweep and the runs they ask for."""

    def __init__(self, folder: Path, file: str, overrides: tuple[str, ...], settings: dict[str, Any], reuse: tuple[str, ...] = ()):
        """settings: the sweep section as plain data, laid over the recipe's own. Raises RecipeError."""
        self.folder, self.file, self.overrides, self.reuse = folder, file, overrides, reuse
        self.experiment = load(file, [*overrides, *([f"sweep={json.dumps(settings)}"] if settings else [])])
        self._known_as = self.experiment.fingerprint  # by which the index finds its runs
        self._index: dict[str, PlannedRun] | None = None

    @staticmethod
    def is_sweep(folder: str | Path) -> bool:
        """Whether a sweep was begun here."""
        return (Path(folder) / SWEEP_FILE).is_file()

    @classmethod
    def open(cls, folder: str | Path, to_train: bool = True) -> Plan:
        """The sweep in this folder; raises UserError when there is none, or its recipe is gone.

        What has been trained can be looked at whatever has become of the recipe since; `to_train` refuses one that has changed.
        """
        path = Path(folder) / SWEEP_FILE
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if told["format"] != FORMAT:
                raise UserError(f"{path}: is of format {told['format']}; this version reads format {FORMAT}", hint="upgrade seqcfg")
            plan = cls(Path(folder), told["file"], tuple(told["overrides"]), told["settings"], tuple(told["reuse"]))
            if to_train:
                plan._refuse_another_recipe(told["fingerprint"])
            plan._known_as = told["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: is not a sweep: {error}", hint="'seqcfg sweep RECIPE' begins one") from error
        return plan

    @property
    def settings(self) -> Sweep:
        found = self.experiment.recipe.sweep
        return found if isinstance(found, Sweep) else Sweep()

    @property
    def metric(self) -> str:
        """The validation figure that is compared."""
        evaluation: Any = self.experiment.recipe.evaluation
        return self.settings.metric or evaluation.best.metric

    @property
    def is_higher_better(self) -> bool:
        evaluation: Any = self.experiment.recipe.evaluation
        goal = self.settings.goal or (evaluation.best.goal if self.metric == evaluation.best.metric else None)
        if goal is None:
            kinds = {getattr(metric, "label", ""): getattr(metric, "better", "lower") for metric in evaluation.metrics}
            return kinds.get(self.metric, "lower") == "higher"
        return goal == "maximize"

    @functools.cached_property
    def known(self) -> list[Listed]:
        """Runs of other folders that may stand for runs of this sweep, as they were when first asked for."""
        return [one for folder in self.reuse for one in list_runs(folder)]

    def store(self) -> None:
        """Writes sweep.json; raises UserError when the folder holds the sweep of another recipe, or cannot be written."""
        path = self.folder / SWEEP_FILE
        if path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))
            self._refuse_another_recipe(before.get("fingerprint"))
        told = {
            "format": FORMAT,
            "file": str(Path(self.file).resolve()),
            "overrides": list(self.overrides),
            "settings": canonical(self.settings),
            "reuse": [str(Path(folder).resolve()) for folder in self.reuse],
            "fingerprint": self.experiment.fingerprint,
        }
        try:
            for name in ("recipes", "runs", "logs", "marks", "claims"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            write_file(path, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise UserError(f"cannot write to {self.folder}: {error.strerror}", hint="choose another place with --sweep") from error

    def runs(self, trial: int, values: Values) -> list[PlannedRun]:
        """The runs of a trial, one for each seed; recipes that were not resolved yet are, and stored. Raises RecipeError."""
        recipe: Any = self.experiment.recipe
        seeds = range(recipe.training.seed, recipe.training.seed + self.settings.seeds)
        return [self._run(trial, values, seed) for seed in seeds]

    def check(self, trials: Iterable[Values]) -> None:
        """Raises RecipeError for the first trial whose recipe is not valid; its overrides stand in the message."""
        for values in trials:
            self._load(values, self.experiment.recipe.training.seed)  # type: ignore[union-attr]

    def recipe_file(self, run: PlannedRun) -> Path:
        return self.folder / "recipes" / f"{run.name}.yaml"

    def _load(self, values: Values, seed: int) -> Experiment:
        settings = [f"{path}={json.dumps(plain(value))}" for path, value in values.items()]
        return load(self.file, [*self.overrides, *settings, f"training.seed={seed}"])

    def _run(self, trial: int, values: Values, seed: int) -> PlannedRun:
        told = [self._known_as, {path: plain(value) for path, value in values.items()}, seed]
        key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        index = self._read_index()
        if key in index and self.recipe_file(index[key]).is_file():
            return dataclasses.replace(index[key], trial=trial)
        experiment = self._load(values, seed)
        run = PlannedRun(trial, values, seed, name_of(experiment, values, seed), experiment.fingerprint, experiment.recipe.training.steps)  # type: ignore[union-attr]
        resolved = {name: value for name, value in experiment.resolved.items() if name != "sweep"}
        write_file(self.recipe_file(run), to_yaml(resolved | {"name": run.name}))
        with open(self.folder / "index.jsonl", "ab", buffering=0) as file:
            file.write(json.dumps({"key": key, "run": dataclasses.asdict(run)}).encode() + b"\n")
        index[key] = run
        return run

    def _read_index(self) -> dict[str, PlannedRun]:
        if self._index is None:
            entries = read_lines(self.folder / "index.jsonl")
            self._index = {entry["key"]: PlannedRun(**entry["run"]) for entry in entries}
        return self._index

    def _refuse_another_recipe(self, before: Any) -> None:
        if before is not None and before != self.experiment.fingerprint:
            parts = ", ".join(part for part, value in self.experiment.fingerprint.items() if before.get(part) != value)
            raise UserError(
                f"{self.folder} is a sweep of another recipe: {self.file} has changed in {parts}, or seqcfg reads it otherwise by now",
                hint="bring the recipe back, or begin another sweep with --sweep DIR",
            )


def name_of(experiment: Experiment, values: Values, seed: int) -> str:
    """`peak_0.001-seed_1-3fa9c1d2`: the last part of each path, and eight digits of the fingerprint."""
    shown = [f"{path.rpartition('.')[2]}_{_short(value)}" for path, value in values.items()] + [f"seed_{seed}"]
    text = re.sub(r"[^A-Za-z0-9._-]+", "_", "-".join(shown)).lstrip("._-")[: MAX_NAME - 9]
    digest = hashlib.sha256("".join(experiment.fingerprint[part] for part in sorted(experiment.fingerprint)).encode())
    return f"{text}-{digest.hexdigest()[:8]}"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file, one a line; a torn last line is left out."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return str(value.get("type", hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:6]))
    return str(value)
