"""Trained: a run opened for use: its recipe, its tokenizers and the weights of one checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from seqcfg.checkpoints.average import average
from seqcfg.checkpoints.contents import MANIFEST_FILE, DamagedCheckpoint
from seqcfg.checkpoints.read import CheckpointInfo, find, latest_valid, load_arrays, read_contents
from seqcfg.decoding.member import Origin
from seqcfg.errors import RecipeError, UserError
from seqcfg.lazy import np
from seqcfg.plan.declaration import RANGES
from seqcfg.recipe.experiment import load
from seqcfg.recipe.rules import check_reach
from seqcfg.runs.directory import RunDirectory

WEIGHTS, AVERAGE = "weights/", "average/"
CHOICES = "best, last, average:N (the newest N), a step number or the folder of a checkpoint"


@dataclasses.dataclass(frozen=True)
class Trained:
    """weights {path: np.ndarray}; codecs {name: Codec}; step of the newest checkpoint read; label names it in file names."""

    experiment: Any  # recipe.experiment.Experiment
    run: RunDirectory
    codecs: dict[str, Any]
    weights: dict[str, Any]
    step: int
    label: str

    @property
    def declaration(self) -> Any:
        return self.experiment.declaration

    @property
    def folder(self) -> Path:
        return self.run.folder

    @property
    def precision(self) -> str:
        """The type in which the model computed in training."""
        return self.experiment.recipe.training.precision


def open_run(folder: str | Path, checkpoint: str = "best", overrides: Iterable[str] = (), warn: Callable[[str], None] = print) -> Trained:
    """Opens a run for evaluation, decoding or export; nothing in it is changed.

    `checkpoint` is best (by evaluation.best; the newest if none was validated), last, average:N, a step number, or the
    folder of a checkpoint, such as `seqcfg average` writes.
    `overrides` change the recipe as `--set` does; those that change the model's weights are refused. `quantisation=null` leaves the
    ranges of quantisation-aware training out, so that the model computes in floating point. Raises UserError.
    """
    run = RunDirectory.open(folder)
    experiment: Any = load(str(run.resolved), overrides)
    if problems := check_reach(experiment.tree, experiment.checked.built, ("decoding", "evaluation")):
        raise RecipeError(problems)
    chosen, weights = _read(run.checkpoints, checkpoint, experiment.recipe.evaluation.best, warn)
    declared = {weight.path for weight in experiment.declaration.all_weights()}
    weights = {path: array for path, array in weights.items() if path in declared or not path.startswith(RANGES)}
    _compare(weights, experiment.declaration, run.folder)
    codecs = {name: tokenizer.load(run.tokenizers / name) for name, tokenizer in experiment.recipe.tokenizers.items()}
    name = chosen[-1].path.name
    label = name if len(chosen) == 1 else f"average-{len(chosen)}-{name}"
    return Trained(experiment, run, codecs, weights, chosen[-1].step, label)


def origin(trained: Trained) -> Origin:
    """Where its weights come from: what tells outputs of one run from those of another."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(trained.weights):
        digest.update(path.encode() + b"\0")
        digest.update(np.ascontiguousarray(trained.weights[path]))
    return Origin(trained.label, trained.experiment.fingerprint["model"], digest.hexdigest())


def _read(folder: Path, wanted: str, best: Any, warn: Callable[[str], None]) -> tuple[list[CheckpointInfo], dict[str, Any]]:
    """The checkpoints chosen and their weights; chosen anew when a run that goes on deletes one while it is read."""
    while True:
        chosen = choose(folder, wanted, best, warn)
        try:
            return chosen, mean_weights(chosen)
        except DamagedCheckpoint:
            if all(info.path.exists() for info in chosen):
                raise


def choose(folder: Path, wanted: str, best: Any, warn: Callable[[str], None]) -> list[CheckpointInfo]:
    """The checkpoints, oldest first, whose mean is meant by `wanted`; damaged ones are passed over with a warning."""
    if (Path(wanted) / MANIFEST_FILE).is_file():
        return [CheckpointInfo(read_contents(Path(wanted)).step, Path(wanted))]
    newest = latest_valid(folder, warn)
    if newest is None:
        raise UserError(f"{folder} holds no checkpoint yet", hint="train the run first, or wait for training.checkpoint.every_steps steps")
    if wanted == "last":
        return [newest]
    if wanted == "best":
        return [_best(folder, best, warn) or newest]
    if wanted.isdecimal():
        return [_at_step(folder, int(wanted))]
    if match := re.fullmatch(r"average:([1-9]\d*)", wanted):
        return _newest(folder, int(match[1]), warn)
    raise UserError(f"there is no checkpoint called {wanted!r}", hint=CHOICES)


def _best(folder: Path, best: Any, warn: Callable[[str], None]) -> CheckpointInfo | None:
    found: list[tuple[float, CheckpointInfo]] = []
    for info in find(folder):
        try:
            value = info.metadata.get("metrics", {}).get(best.metric)
        except DamagedCheckpoint as error:
            warn(str(error))
            continue
        if isinstance(value, (int, float)) and value == value:
            found.append((-value if best.goal == "maximize" else value, info))
    for _, info in sorted(found, key=lambda pair: (pair[0], pair[1].step)):
        if not (damage := info.damage()):
            return info
        warn(f"{damage}; taking the next best")
    warn(f"no checkpoint was validated by {best.metric!r}; taking the newest")
    return None


def _at_step(folder: Path, step: int) -> CheckpointInfo:
    checkpoints = find(folder)
    for info in checkpoints:
        if info.step == step:
            return info
    raise UserError(f"{folder} holds no checkpoint of step {step}", hint=f"there are {', '.join(str(info.step) for info in checkpoints)}")


def _newest(folder: Path, number: int, warn: Callable[[str], None]) -> list[CheckpointInfo]:
    whole: list[CheckpointInfo] = []
    for info in reversed(find(folder)):
        if damage := info.damage():
            warn(f"{damage}; averaging others")
        elif len(whole) < number:
            whole.insert(0, info)
    if len(whole) < number:
        raise UserError(
            f"{folder} holds {len(whole)} whole checkpoints, and {number} are to be averaged",
            hint=f"--checkpoint average:{len(whole)}; training.checkpoint.keep_last says how many are kept",
        )
    return whole


def mean_weights(chosen: list[CheckpointInfo]) -> dict[str, Any]:
    """The mean of the checkpoints' weights; where training kept a moving average, of that."""
    stored = read_contents(chosen[-1].path).variables
    prefixes = [WEIGHTS, *([AVERAGE] if any(name.startswith(AVERAGE) for name in stored) else [])]
    weights: dict[str, Any] = {}
    for prefix in prefixes:
        paths: list[str | Path] = [info.path for info in chosen]
        arrays = load_arrays(paths[0], prefix) if len(paths) == 1 else average(paths, prefix)
        weights |= {name.removeprefix(prefix): array for name, array in arrays.items()}
    return weights


def _compare(weights: dict[str, Any], declaration: Any, folder: Path) -> None:
    """Raises UserError unless the weights are those that the recipe declares."""
    declared = {weight.path: tuple(weight.shape) for weight in declaration.all_weights()}
    stored = {path: tuple(array.shape) for path, array in weights.items()}
    differing = sorted(path for path in declared.keys() | stored.keys() if declared.get(path) != stored.get(path))
    if differing:
        path = differing[0]
        there, here = stored.get(path, "missing"), declared.get(path, "unknown")
        more = f"; {len(differing) - 1} more differ" if len(differing) > 1 else ""
        raise UserError(
            f"the weights in {folder} do not fit the recipe: {path} is {there} there and {here} here{more}",
            hint="leave out --set for values that change the model",
        )
