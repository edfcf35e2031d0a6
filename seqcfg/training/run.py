"""One call of `seqcfg train`: a new run, or one that goes on where it stopped."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqcfg.data.batches import training_plan
from seqcfg.data.hashes import folder_sha256
from seqcfg.data.loader import Loader, evaluation_batches
from seqcfg.errors import EXIT_OK, UserError
from seqcfg.lazy import tf
from seqcfg.recipe.experiment import load
from seqcfg.recipe.write import to_yaml
from seqcfg.runs import lockfile, manifest, records
from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.durable import write_file
from seqcfg.runs.lock import RunLock
from seqcfg.runs.trace import Trace
from seqcfg.training.judging import judge
from seqcfg.training.keeping import Keeper
from seqcfg.training.loop import Inputs, TrainingLoop
from seqcfg.training.resume import refuse_changes
from seqcfg.training.state import create_state
from seqcfg.training.tensorboard import ScalarWriter


def open_or_create(experiment: Any, folder: Path) -> RunDirectory:
    """The run in this folder, made now if there is none; raises UserError if it was started with another experiment."""
    if not RunDirectory.is_run(folder):
        return RunDirectory.create(folder, experiment.source(), experiment.resolved)
    run = RunDirectory.open(folder)
    before = load(str(run.resolved))
    refuse_changes(before.canonical(), experiment.canonical(), folder)
    return run


def train(experiment: Any, prepared: Any, folder: Path, say: Callable[[str], None]) -> int:
    """Trains until the recipe's end, a budget or a signal; returns the exit code. The caller has prepared the data."""
    with RunLock(folder):
        run = open_or_create(experiment, folder)
        _store(experiment, prepared, run)
        return _train_locked(experiment, prepared, run, say)


def _store(experiment: Any, prepared: Any, run: RunDirectory) -> None:
    """Writes what a run must carry with it: the resolved recipe as of now, and its tokenizers."""
    text = to_yaml(experiment.resolved)
    if run.resolved.read_text(encoding="utf-8") != text:
        write_file(run.resolved, text)
    for name in prepared.codecs:
        if not (run.tokenizers / name).exists():
            partial = run.tokenizers / f"{name}.partial"
            shutil.copytree(prepared.folder / "tokenizers" / name, partial, dirs_exist_ok=True)
            partial.rename(run.tokenizers / name)
    if not (run.folder / lockfile.LOCKFILE).exists():
        lockfile.write_lock(run.folder, lock_of(experiment, prepared))
    elif (lock := lockfile.read_lock(run.folder))["recipe"] != experiment.resolved:  # goes on to another number of steps, say
        lockfile.write_lock(run.folder, lock | {"recipe": experiment.resolved, "fingerprint": experiment.fingerprint})


def lock_of(experiment: Any, prepared: Any) -> dict[str, Any]:
    """The lock of an experiment as this machine would run it now."""
    tokenizers = {name: folder_sha256(prepared.folder / "tokenizers" / name) for name in prepared.codecs}
    data = {"fingerprint": prepared.fingerprint, "inputs": prepared.manifest.get("inputs", {}), "tokenizers": tokenizers}
    devices = [
        tf.config.experimental.get_device_details(device).get("device_name", "GPU") for device in tf.config.list_physical_devices("GPU")
    ]
    return lockfile.new_lock(experiment, data, lockfile.hardware_class(_threads(), devices))


def _threads() -> tuple[int, int]:
    return tf.config.threading.get_intra_op_parallelism_threads(), tf.config.threading.get_inter_op_parallelism_threads()


def _train_locked(experiment: Any, prepared: Any, run: RunDirectory, say: Callable[[str], None]) -> int:
    recipe = experiment.recipe
    tf.config.experimental.enable_op_determinism()
    tf.random.set_seed(recipe.training.seed)
    state = create_state(experiment.declaration, recipe.training)
    best = recipe.evaluation.best
    keeper = Keeper(run.checkpoints, recipe.training.checkpoint, best.metric, best.goal == "maximize")
    step = keeper.restore(state.variables(), say)
    _refuse_lost_checkpoints(run, step)
    if step >= recipe.training.steps:
        say(f"{run.folder}: all {recipe.training.steps} steps are done; raise training.steps to go on")
        return EXIT_OK
    if step:
        say(f"{run.folder}: goes on after step {step}")
    history = _begin_attempt(experiment, prepared, run, step)
    outcome = "failed"
    try:
        with records.Records(run.records) as curve:
            curve.truncate_after(step)
            loop = TrainingLoop(
                experiment, state, _inputs(experiment, prepared), keeper, curve, ScalarWriter(run.tensorboard), Trace(run.folder, step)
            )
            code = loop.run()
            curve.sync()
        outcome = "finished" if int(state.step.numpy()) >= recipe.training.steps else "stopped"
    finally:
        manifest.finish_attempt(history, int(state.step.numpy()), outcome)
        manifest.write_manifest(run.manifest, history)
    if keeper.newest != int(state.step.numpy()):
        say(f"{run.folder}: the last state could not be saved; the newest checkpoint is that of step {keeper.newest}")
        return 1
    return code


def _refuse_lost_checkpoints(run: RunDirectory, step: int) -> None:
    """A run that has saved before never starts over by itself, even if its checkpoints are gone."""
    saved = [record["saved"] for record in records.read(run.records, "event") if "saved" in record]
    if saved and not step:
        raise UserError(
            f"{run.folder} saved a checkpoint at step {saved[-1]}, but its checkpoints are gone",
            hint=f"bring back {run.checkpoints}; to start over, delete {run.folder} yourself or choose another place with --run",
        )


def _begin_attempt(experiment: Any, prepared: Any, run: RunDirectory, step: int) -> Any:
    if run.manifest.exists():
        history = manifest.read_manifest(run.manifest)
    else:
        seeds = {"training": experiment.recipe.training.seed}
        history = manifest.new_manifest(experiment.name, experiment.fingerprint, prepared.fingerprint, seeds)
    manifest.begin_attempt(history, sys.argv, step, _threads())
    manifest.write_manifest(run.manifest, history)
    return history


def _inputs(experiment: Any, prepared: Any) -> Inputs:
    recipe = experiment.recipe
    data, training, features = recipe.data, recipe.training, recipe.task.features()
    plan = training_plan(prepared.splits[data.training_split], features, data.batching, training.seed)
    loader = Loader(prepared.splits[data.training_split], plan, features)
    split = prepared.splits.get(training.validation.split)
    if split is None:
        return Inputs(loader.dataset)
    return Inputs(
        loader.dataset,
        validation=lambda: (batch.arrays for batch in evaluation_batches(split, features, max_tokens=recipe.evaluation.max_tokens)),
        judge=judge(experiment, prepared.codecs, split) if training.validation.decode else None,
    )
