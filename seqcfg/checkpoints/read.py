"""Reading checkpoints: checksums are verified before any variable is touched."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqcfg.checkpoints.contents import Contents, DamagedCheckpoint, read_contents, verify
from seqcfg.errors import UserError
from seqcfg.lazy import tf

DATA_PREFIX = "variables"
REPLACED = ".replaced"  # ends the name of an older checkpoint of a step until the new one is in its place
_FOLDER = re.compile(rf"step-(\d{{8,18}})({re.escape(REPLACED)})?")
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"  # how TensorFlow ends the name of a stored variable


@dataclasses.dataclass(frozen=True)
class CheckpointInfo:
    """A committed checkpoint: the number of finished updates and its folder. Reading its manifest or bytes waits until asked."""

    step: int
    path: Path

    @property
    def contents(self) -> Contents:
        """Raises DamagedCheckpoint."""
        return read_contents(self.path)

    @property
    def metadata(self) -> dict[str, Any]:
        """What training stored beside the variables; raises DamagedCheckpoint."""
        return self.contents.metadata

    def damage(self) -> str:
        """What is wrong with its bytes; empty when every checksum agrees."""
        try:
            verify(self.path)
        except DamagedCheckpoint as error:
            return error.problems[0].message
        return ""


def folder_name(step: int) -> str:
    """Name of the folder of a step's checkpoint; names sort like steps."""
    return f"step-{step:08d}"


def find(folder: str | Path) -> list[CheckpointInfo]:
    """All committed checkpoints, oldest first; none of their bytes is read. A missing folder holds none."""
    folder = Path(folder)
    if not folder.is_dir():
        return []
    found: dict[int, Path] = {}
    for entry in sorted(folder.iterdir()):
        if match := _FOLDER.fullmatch(entry.name):
            if entry.is_dir():
                found.setdefault(int(match[1]), entry)  # a replaced one comes second and counts only when alone
            elif not entry.exists():  # a run that goes on has deleted it meanwhile, after it had written a newer one
                return find(folder)
    return [CheckpointInfo(step, found[step]) for step in sorted(found)]


def latest_valid(folder: str | Path, warn: Callable[[str], None]) -> CheckpointInfo | None:
    """The newest checkpoint that is whole; None when there is none at all.

    Each damaged one that is passed over is given to `warn`. Raises UserError when checkpoints exist and none is
    whole: training must not start over by itself.
    """
    damages: list[str] = []
    checkpoints = find(folder)
    while checkpoints:
        checkpoint = checkpoints.pop()
        if not (damage := checkpoint.damage()):
            return checkpoint
        if not checkpoint.path.exists():  # a run that goes on has written newer ones and deleted this one meanwhile
            checkpoints = find(folder)
        elif damage not in damages:
            damages.append(damage)
            warn(f"{damage}; looking for an older one")
    if damages:
        listed = "".join(f"\n    {damage}" for damage in damages)
        raise UserError(
            f"none of the {len(damages)} checkpoints in {folder} is whole:{listed}",
            hint="restore one from a copy; to start over, delete the folder yourself or choose another place with --run",
        )
    return None


def restore(path: str | Path, variables: dict[str, Any]) -> Contents:
    """Assigns {path: tf.Variable} from a checkpoint and returns its contents (step, metadata).

    Nothing is assigned before all checksums agree and names, shapes and dtypes fit one to one; raises
    DamagedCheckpoint, or UserError that lists what is missing, left over or of another shape.
    """
    path = Path(path)
    contents = verify(path)
    wanted = {name: (variable.dtype.name, tuple(variable.shape.as_list())) for name, variable in variables.items()}
    if misfits := _misfits(contents.variables, wanted):
        more = f"\n    and {len(misfits) - 10} more" if len(misfits) > 10 else ""
        listed = "".join(f"\n    {misfit}" for misfit in misfits[:10])
        raise UserError(
            f"checkpoint {path} does not fit the model:{listed}{more}",
            hint="use the recipe it was trained with; 'seqcfg plan' lists a recipe's weights",
        )
    try:
        tf.train.Checkpoint(**variables).read(str(path / DATA_PREFIX)).assert_consumed()
    except (tf.errors.OpError, ValueError, IndexError) as error:  # the kinds TensorFlow raises for unreadable files
        raise DamagedCheckpoint(f"checkpoint {path} is damaged: {error}", hint="restore it from a copy, or delete this folder") from error
    return contents


def load_arrays(path: str | Path, prefix: str = "") -> dict[str, Any]:
    """{path: np.ndarray} of the variables whose path starts with `prefix`, checksums verified; raises DamagedCheckpoint."""
    path = Path(path)
    names = [name for name in verify(path).variables if name.startswith(prefix)]
    try:
        reader = tf.train.load_checkpoint(str(path / DATA_PREFIX))
        return {name: reader.get_tensor(_stored_name(name)) for name in names}
    except (tf.errors.OpError, ValueError, IndexError, RuntimeError) as error:
        raise DamagedCheckpoint(f"checkpoint {path} is damaged: {error}", hint="restore it from a copy, or delete this folder") from error


def stored_variables(path: Path) -> list[str]:
    """Paths of the variables that TensorFlow's own index of a checkpoint names."""
    stored = tf.train.load_checkpoint(str(path / DATA_PREFIX)).get_variable_to_shape_map()
    return [_path_of(name) for name in stored if name.endswith(_SUFFIX)]


def _stored_name(path: str) -> str:
    return path.replace(".", "..").replace("/", ".S") + _SUFFIX


def _path_of(stored: str) -> str:
    escaped = stored.removesuffix(_SUFFIX)
    return re.sub(r"\.(.)", lambda match: "/" if match[1] == "S" else match[1], escaped)


def _misfits(stored: dict, wanted: dict) -> list[str]:
    lines = [f"{name} {list(wanted[name][1])} is not in the checkpoint" for name in wanted if name not in stored]
    lines += [f"{name} {list(stored[name][1])} is only in the checkpoint" for name in stored if name not in wanted]
    for name in wanted.keys() & stored.keys():
        if stored[name] != wanted[name]:
            lines.append(f"{name} is {stored[name][0]} {list(stored[name][1])} there and {wanted[name][0]} {list(wanted[name][1])} here")
    return sorted(lines)
