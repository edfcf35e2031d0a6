"""The catalogue: every run below a folder in one table, read fast enough for thousands of them.

Nothing in a run directory stops the list: what is damaged, half-written, of a newer version or no run at all is listed
as that, with what is wrong.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqcfg.errors import UserError
from seqcfg.recipe.node import Node, Place
from seqcfg.recipe.read import read_text
from seqcfg.runs.directory import MANIFEST, RECIPE, RECORDS, RESOLVED, RunDirectory
from seqcfg.runs.glance import evaluated, last_records, name_in, newer_version, seconds_of, section
from seqcfg.runs.labels import Labels, read_labels
from seqcfg.runs.lock import LOCK_FILE, is_owned
from seqcfg.runs.manifest import FORMAT, read_manifest

WHOLE = ("finished", "stopped", "failed", "running", "killed", "new")
BROKEN = ("damaged", "half-written", "newer", "foreign")
DEPTH = 5  # folders between the one that is listed and a run
FOLDER_SIGNS = {RECIPE, MANIFEST, RECORDS, "checkpoints"}


@dataclasses.dataclass(frozen=True)
class Listed:
    """One row of the catalogue.

    status   one of WHOLE or BROKEN; problem says what is wrong with the latter
    started  first start and last sign of life in UTC as the manifest has them; seconds of all finished attempts together
    rollbacks  how often it went back to an earlier checkpoint (training.roll_back)
    best     the best validation by the recipe's evaluation.best
    metrics  {"<split>/<metric>": value} of the newest evaluation of each split
    """

    folder: Path
    status: str
    problem: str = ""
    name: str = ""
    step: int = 0
    steps: int = 0
    started: str = ""
    ended: str = ""
    seconds: float = 0.0
    attempts: int = 0
    rollbacks: int = 0
    best_metric: str = ""
    best: float | None = None
    best_step: int | None = None
    tokens_per_second: float | None = None
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    fingerprint: dict[str, str] = dataclasses.field(default_factory=dict)
    data: str = ""
    hardware: str = ""
    version: str = ""
    commit: str = ""
    labels: Labels = Labels()

    @property
    def is_whole(self) -> bool:
        return self.status in WHOLE

    @functools.cached_property
    def tree(self) -> Node:
        """The resolved recipe with positions; an empty mapping where the run is not whole."""
        path = self.folder / RESOLVED
        return read_text(path.read_text(encoding="utf-8"), str(path)) if self.is_whole else Node({}, Place(str(path)))

    @property
    def recipe(self) -> dict[str, Any]:
        """The resolved recipe as a plain mapping, defaults not filled in."""
        return self.tree.plain()


def list_runs(folder: str | Path) -> list[Listed]:
    """All runs below a folder, or the folder itself where it is one, by path. Raises UserError where there is no such folder."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder", hint="name the folder that holds the runs, such as runs/")
    if RunDirectory.is_run(folder):
        return [look_at(folder)]
    return [look_at(found) for found in _folders(folder, DEPTH)]


def look_at(folder: Path) -> Listed:
    """The row of one folder; never raises for what it finds there."""
    if not RunDirectory.is_run(folder):
        return _no_run(folder)
    labels, problem = Labels(), ""
    try:
        labels = read_labels(folder)
        text = (folder / RESOLVED).read_text(encoding="utf-8")
        if newer := newer_version(text):
            return Listed(folder, "newer", newer, labels=labels)
        row = _whole(folder, text, labels)
    except UserError as error:
        problem = str(error.problems[0].message)
    except (OSError, UnicodeDecodeError) as error:
        problem = str(error)
    return Listed(folder, "damaged", problem, labels=labels) if problem else row


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    """Runs below, and folders that hold neither a run nor a folder with one; links are not followed."""
    try:
        entries = sorted((entry for entry in os.scandir(folder) if _is_listed(entry)), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        if RunDirectory.is_run(path) or depth == 0 or _looks_like_a_run(path):
            yield path
            continue
        below = [found for found in _folders(path, depth - 1) if _is_worth_listing(found)]
        yield from below or [path]


def _is_listed(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)


def _is_worth_listing(folder: Path) -> bool:
    """Below the first level, folders that are no runs are their owner's business."""
    return RunDirectory.is_run(folder) or _looks_like_a_run(folder)


def _looks_like_a_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in FOLDER_SIGNS)


def _no_run(folder: Path) -> Listed:
    if (folder / RECIPE).exists() and not (folder / RECORDS).exists() and not (folder / MANIFEST).exists():
        return Listed(folder, "half-written", "its creation was interrupted; the command that began it makes it anew")
    if _looks_like_a_run(folder):
        return Listed(folder, "damaged", f"{RESOLVED} is missing")
    return Listed(folder, "foreign", "is not a run directory")


def _whole(folder: Path, text: str, labels: Labels) -> Listed:
    training, evaluation = section(text, "training", folder), section(text, "evaluation", folder)
    best = evaluation.get("best") or {}
    metric, is_higher_better = best.get("metric", "loss"), best.get("goal", "minimize") == "maximize"
    step, points, speed, rollbacks = last_records(folder / RECORDS, metric)
    value, at = min(points, key=lambda point: -point[0] if is_higher_better else point[0], default=(None, None))
    row = Listed(
        folder,
        "new",
        name=name_in(text),
        step=step,
        steps=int(training.get("steps", 10_000)),
        best_metric=metric if value is not None else "",
        best=value,
        best_step=at,
        tokens_per_second=speed,
        rollbacks=rollbacks,
        metrics=evaluated(folder / "evaluations"),
        labels=labels,
    )
    if not (folder / MANIFEST).exists():
        return row
    manifest = read_manifest(folder / MANIFEST)
    if manifest.format > FORMAT:
        return Listed(folder, "newer", f"its manifest is of format {manifest.format}; this seqcfg reads {FORMAT}", labels=labels)
    return _with_manifest(row, manifest)


def _with_manifest(row: Listed, manifest: Any) -> Listed:
    attempts = list(manifest.attempts)
    last = attempts[-1] if attempts else None
    prints = manifest.fingerprints
    return dataclasses.replace(
        row,
        status=_status(row.folder, last),
        name=row.name or manifest.recipe_name,
        started=attempts[0].started if attempts else "",
        ended=last.finished if last is not None else "",
        seconds=sum(seconds_of(attempt) for attempt in attempts),
        attempts=len(attempts),
        fingerprint={part: getattr(prints, part) for part in ("data", "model", "training", "decoding")},
        data=manifest.data_fingerprint,
        hardware=f"{last.machine.cores} cores, {last.machine.processor}" if last is not None else "",
        version=last.versions["seqcfg"] if last is not None and "seqcfg" in last.versions else "",
        commit=last.git_commit if last is not None else "",
    )


def _status(folder: Path, attempt: Any) -> str:
    if attempt is None:
        return "new"
    if attempt.outcome:
        return attempt.outcome if attempt.outcome in WHOLE else "stopped"
    return "running" if is_owned(folder / LOCK_FILE) else "killed"
