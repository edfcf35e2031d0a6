"""Writing checkpoints: after a death at any moment, each is found whole or not at all, and the older ones are untouched.

A checkpoint is written into a folder that does not count, every file and then the folder is synced, a manifest with
the checksums is added, and one rename makes it count. TensorFlow's own pointer file is neither written nor read.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
from pathlib import Path
from typing import Any

from seqcfg.checkpoints.contents import MANIFEST_FILE, Contents, DamagedCheckpoint, describe_file, read_contents
from seqcfg.checkpoints.read import DATA_PREFIX, REPLACED, find, folder_name, stored_variables
from seqcfg.errors import UserError
from seqcfg.lazy import tf
from seqcfg.runs.durable import PARTIAL, sync_file, sync_folder, write_file


class CheckpointWriteError(UserError):
    """A checkpoint could not be written (disk full, read-only); the older ones are as they were, and training may go on."""


def save(folder: str | Path, step: int, variables: dict[str, Any], metadata: dict[str, Any] | None = None) -> Path:
    """Writes {path: tf.Variable} as the checkpoint of `step` and returns its folder, durable when this returns.

    `metadata` is any JSON value by name ("metrics": {"loss": 1.5}). A checkpoint of the same step is replaced.
    Raises CheckpointWriteError; nothing of the failed attempt stays behind.
    """
    folder = Path(folder)
    final = folder / folder_name(step)
    partial = final.with_name(final.name + PARTIAL)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        clean(folder)
        _check_space(folder, variables)
        partial.mkdir()
        _write(partial, step, variables, metadata or {})
        _put_in_place(partial, final)
    except (OSError, tf.errors.OpError) as error:
        with contextlib.suppress(OSError):
            clean(folder)
        raise CheckpointWriteError(
            f"cannot write the checkpoint of step {step} to {folder}: {_reason(error)}",
            hint="make room on the disk or move the run; older checkpoints are unharmed",
        ) from error
    return final


def set_metadata(path: str | Path, **metadata: Any) -> None:
    """Adds to a checkpoint's metadata, or replaces what stood under the same names, in one step. Raises CheckpointWriteError."""
    contents = read_contents(Path(path))
    changed = Contents(contents.step, contents.variables, contents.files, {**contents.metadata, **metadata})
    try:
        write_file(Path(path) / MANIFEST_FILE, changed.to_json())
    except OSError as error:
        raise CheckpointWriteError(f"cannot write to {path}: {error.strerror}", hint="make room on the disk") from error


def clean(folder: str | Path) -> None:
    """Removes what interrupted writes left. Only for the process that holds the run's lock."""
    for entry in sorted(Path(folder).iterdir()) if Path(folder).is_dir() else []:
        original = entry.with_name(entry.name.removesuffix(REPLACED))
        if entry.name.endswith(REPLACED) and not original.exists():
            os.replace(entry, original)  # the death fell between the two renames of a replacement
        elif entry.name.endswith((PARTIAL, REPLACED)):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def prune(folder: str | Path, keep: set[int]) -> list[int]:
    """Deletes the checkpoints of all steps not in `keep`, except the newest that is whole. Returns the steps deleted."""
    checkpoints = find(folder)
    newest_whole = next((one.step for one in reversed(checkpoints) if not one.damage()), None)
    deleted = []
    for checkpoint in checkpoints:
        if checkpoint.step in keep or checkpoint.step == newest_whole or newest_whole is None:
            continue
        with contextlib.suppress(OSError):  # what cannot be deleted now is deleted by a later call
            _remove(checkpoint.path)
            deleted.append(checkpoint.step)
    return deleted


def remove_after(folder: str | Path, step: int) -> None:
    """Deletes the checkpoints of later steps, the newest first, so that a death in between leaves a run as it once was.

    Raises CheckpointWriteError.
    """
    for checkpoint in reversed(find(folder)):
        if checkpoint.step > step:
            try:
                _remove(checkpoint.path)
            except OSError as error:
                raise CheckpointWriteError(
                    f"cannot delete {checkpoint.path}: {error.strerror}", hint="make the folder writable, then train again"
                ) from error
    sync_folder(Path(folder))


def _remove(path: Path) -> None:
    doomed = path.with_name(path.name + PARTIAL)
    os.replace(path, doomed)  # first out of sight, so that no half-deleted one is ever found
    shutil.rmtree(doomed)


def choose(folder: str | Path, *, last: int, best: int = 0, metric: str = "loss", is_higher_better: bool = False) -> set[int]:
    """The steps of the `last` newest checkpoints and of the `best` ones by a number in metadata["metrics"]; ties go to the older."""
    checkpoints = find(folder)
    kept = {one.step for one in checkpoints[max(0, len(checkpoints) - last) :]}
    scored = []
    for one in checkpoints:
        with contextlib.suppress(DamagedCheckpoint):
            value = one.metadata.get("metrics", {}).get(metric)
            if isinstance(value, (int, float)) and math.isfinite(value):
                scored.append((-value if is_higher_better else value, one.step))
    return kept | {step for _, step in sorted(scored)[:best]}


def _write(partial: Path, step: int, variables: dict[str, Any], metadata: dict[str, Any]) -> None:
    prefix = str(partial / DATA_PREFIX)
    tf.train.Checkpoint(**variables).write(prefix)
    table = {path: (variable.dtype.name, tuple(variable.shape.as_list())) for path, variable in variables.items()}
    if set(stored_variables(partial)) != set(table):
        raise RuntimeError(f"TensorFlow wrote other variables than it was given: {set(stored_variables(partial)) ^ set(table)}")
    for entry in sorted(partial.iterdir()):
        if entry.is_dir():
            shutil.rmtree(entry)  # TensorFlow's own temporary folder
        else:
            sync_file(entry)
    files = {entry.name: describe_file(entry) for entry in sorted(partial.iterdir())}
    write_file(partial / MANIFEST_FILE, Contents(step, table, files, metadata).to_json())


def _put_in_place(partial: Path, final: Path) -> None:
    replaced = final.with_name(final.name + REPLACED)
    if final.exists():
        os.replace(final, replaced)
    os.replace(partial, final)
    sync_folder(final.parent)
    if replaced.exists():
        with contextlib.suppress(OSError):
            shutil.rmtree(replaced)


def _check_space(folder: Path, variables: dict[str, Any]) -> None:
    needed = sum(math.prod(variable.shape.as_list()) * variable.dtype.size for variable in variables.values())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(28, f"No space left on device: {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    text = str(getattr(error, "message", error)).split("\n")[0]
    return re.sub(r"^\{\{.*?\}\} *| *\[Op:\w+\].*$", "", text)  # without the names of TensorFlow's own functions
