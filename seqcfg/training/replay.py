"""Replaying one update of a run, to the bit, and comparing it with what the run recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from seqcfg.checkpoints import read
from seqcfg.checkpoints.contents import DamagedCheckpoint
from seqcfg.errors import UserError
from seqcfg.lazy import np, tf
from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.trace import read_steps, unknown
from seqcfg.training.examine import Examination, Examiner
from seqcfg.training.inputs import training_loader
from seqcfg.training.mesh_step import step_on
from seqcfg.training.roll_back import history_of
from seqcfg.training.run import warm_up
from seqcfg.training.state import create_state
from seqcfg.training.step import MEASURED


@dataclasses.dataclass(frozen=True)
class Replay:
    """Update number `step` (from step - 1 to step finished ones) as it was made again from the state after `start` updates.

    measured {name: float}; agrees is whether loss and gradient norm have the run's bits, None where it recorded none;
    differing are the variables that differ from the run's checkpoint of this step, None where there is no such checkpoint.
    """

    step: int
    start: int
    measured: dict[str, float]
    examination: Examination
    agrees: bool | None
    differing: list[str] | None


def replay(experiment: Any, prepared: Any, run: RunDirectory, step: int, say: Callable[[str], None]) -> Replay:
    """Recomputes an update on devices like those of the run; nothing in it is changed.

    Raises UserError when the run has not come so far, or when several processes made it.
    """
    training = experiment.recipe.training
    if training.strategy.spans_processes:
        raise UserError(
            f"{run.folder} was trained by several processes, whose sums one process does not make to the bit",
            hint="train with {type: mirrored} or on one device to replay; 'seqcfg train' makes the steps after a checkpoint again",
        )
    rows = read_steps(run.folder)
    if step > max([len(rows), *(info.step for info in read.find(run.checkpoints))]):
        raise UserError(f"{run.folder} has not made update {step}", hint=f"it has made {len(rows)}")
    devices = training.strategy.start()
    tf.config.experimental.enable_op_determinism()
    tf.random.set_seed(training.seed)
    with devices.scope():
        state = create_state(experiment.declaration, training)
    start = _restore_before(run, step, state, say)
    if not start:
        warm_up(training, state, prepared, say)
    loader = training_loader(experiment, prepared, history_of(run.checkpoints))
    machine = step_on(devices, experiment, state, loader.augmentation)
    parts = training.accumulate_batches
    iterator = iter(loader.dataset(start * parts, step * parts))
    while int(state.step.numpy()) < step - 1:
        machine.run(iterator, tf.constant(step - 1 - int(state.step.numpy())))
    machine.settle()
    examination = Examiner(experiment, prepared.codecs, loader, state).examine(step - 1)
    each = machine.run(iterator, tf.constant(1))["each"].numpy()[0]
    machine.settle()
    measured = dict(zip(MEASURED, each.tolist(), strict=True))
    return Replay(step, start, measured, examination, _agrees(rows, step, each), _differing(run, step, state))


def _restore_before(run: RunDirectory, step: int, state: Any, say: Callable[[str], None]) -> int:
    """Puts the newest whole checkpoint before an update into the state; without one the state is that of the start."""
    for info in reversed(read.find(run.checkpoints)):
        if info.step < step:
            try:
                read.restore(info.path, state.variables())
            except DamagedCheckpoint as error:
                say(f"{error.problems[0].message}; taking an older one")
                continue
            return info.step
    return 0


def _agrees(rows: Any, step: int, each: Any) -> bool | None:
    if step > len(rows) or unknown(rows[step - 1 : step])[0]:
        return None
    now = np.array([each[MEASURED.index("total")], each[MEASURED.index("norm")]], "<f4").view("<u4")
    return bool((rows[step - 1] == now).all())


def _differing(run: RunDirectory, step: int, state: Any) -> list[str] | None:
    path = run.checkpoints / read.folder_name(step)
    if not path.is_dir():
        return None
    arrays, variables = read.load_arrays(path), state.variables()
    return sorted(name for name, array in arrays.items() if name not in variables or array.tobytes() != variables[name].numpy().tobytes())
