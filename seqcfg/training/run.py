"""One call of `seqcfg train`: a new run, or one that goes on where it stopped."""

from __future__ import annotations

import contextlib
import functools
import math
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seqcfg.data.batches import BatchPlan
from seqcfg.data.loader import Loader, evaluation_batches, make_loader
from seqcfg.distribution.devices import Devices
from seqcfg.distribution.lost import ProcessLost
from seqcfg.errors import EXIT_OK, EXIT_PROBLEM, UserError
from seqcfg.lazy import tf
from seqcfg.recipe.experiment import load
from seqcfg.recipe.write import to_yaml
from seqcfg.runs import lockfile, manifest, records
from seqcfg.runs.crash import CrashReport
from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.durable import write_file
from seqcfg.runs.lock import RunLock
from seqcfg.runs.trace import Trace
from seqcfg.training.following import Follower
from seqcfg.training.journal import Journal, Watcher
from seqcfg.training.judging import Judge
from seqcfg.training.keeping import Keeper
from seqcfg.training.locking import lock_of, threads
from seqcfg.training.loop import Inputs, TrainingLoop
from seqcfg.training.profiling import Profiler
from seqcfg.training.resume import refuse_changes
from seqcfg.training.state import State, create_state
from seqcfg.training.stopping import Stopping
from seqcfg.training.tensorboard import AttentionPictures, TensorBoard
from seqcfg.training.trackers.about import About
from seqcfg.training.trackers.guarded import Guarded

Say = Callable[[str], None]


def open_or_create(experiment: Any, folder: Path) -> RunDirectory:
    """The run in this folder, made now if there is none; raises UserError if it was started with another experiment."""
    if not RunDirectory.is_run(folder):
        return RunDirectory.create(folder, experiment.source(), experiment.resolved)
    run = RunDirectory.open(folder)
    before = load(str(run.resolved))
    refuse_changes(before.canonical(), experiment.canonical(), folder)
    return run


def train(
    experiment: Any, prepared: Any, folder: Path, say: Say, stopping: Stopping | None = None, profile: tuple[int, int] | None = None
) -> int:
    """Trains until the recipe's end, a budget or a signal; returns the exit code. The caller has prepared the data.

    `stopping` has been entered by the caller and noticed signals since; left out, signals do what they did before.
    `profile` are numbers of finished updates between which a trace is written.
    """
    devices = experiment.recipe.training.strategy.start()
    mine = RunDirectory.of_process(folder, devices.process)
    with RunLock(mine) as lock:
        run = open_or_create(experiment, mine)
        _store(experiment, prepared, run)
        with CrashReport(run.folder) as report:
            profiler = Profiler(run.tensorboard, profile)
            attempt = Attempt(experiment, prepared, run, lock, say, devices, RunDirectory(folder))
            code = attempt.train(stopping or Stopping(), report, profiler)
        lockfile.add_evidence(run.folder)
        return code


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
        lockfile.write_lock(run.folder, lock | lockfile.recipe_part(experiment))


class Attempt:
    """One process's share of a run, which holds the run's lock; `shared` is the directory that the first process writes."""

    def __init__(self, experiment: Any, prepared: Any, run: RunDirectory, lock: RunLock, say: Say, devices: Devices, shared: RunDirectory):
        self._devices, self._shared = devices, shared
        self._experiment, self._prepared, self._run, self._lock, self._say = experiment, prepared, run, lock, say
        self._training = experiment.recipe.training

    def train(self, stopping: Stopping, report: CrashReport, profiler: Profiler) -> int:
        """Takes up the newest state and trains; returns the exit code."""
        run = self._run
        with self._together(), self._devices.patience():
            state, keeper, step = self._take_up()
        with records.Records(run.records) as curve:
            curve.truncate_after(step)
            journal = Journal(curve, self._watchers(), Trace(run.folder, step))
            loop = TrainingLoop(self._experiment, state, self._inputs(), keeper, journal, stopping, self._devices, profiler)
            report.about = {"recipe": self._experiment.name, "step": state.step}
            if reason := loop.ending():
                return self._stay(step, reason)
            if step:
                self._say(f"{run.folder}: goes on after step {step}")
            reason = self._go(loop, stopping, journal)
        if keeper.newest != loop.done and loop.done:
            newest = f"the newest checkpoint is that of step {keeper.newest}" if keeper.newest is not None else "there is no checkpoint"
            self._say(f"{run.folder}: the last state could not be saved; {newest}")
            return EXIT_PROBLEM
        if reason and loop.done < self._training.steps:
            self._say(f"{run.folder}: over after step {loop.done}: {reason}")
        return EXIT_OK if reason else stopping.exit_code

    def _take_up(self) -> tuple[State, Keeper, int]:
        """The state of the newest checkpoint, or of before the first step, and its step."""
        recipe = self._experiment.recipe
        tf.config.experimental.enable_op_determinism()
        tf.random.set_seed(self._training.seed)
        with self._devices.scope():
            state = create_state(self._experiment.declaration, self._training)
        best = recipe.evaluation.best
        keeper_type = Keeper if self._devices.is_chief else Follower
        keeper = keeper_type(self._shared.checkpoints, self._training.checkpoint, best.metric, best.goal == "maximize", self._lock.require)
        step = keeper.restore(state.variables(), self._say)
        _refuse_lost_checkpoints(self._run, step)
        if not step:
            warm_up(self._training, state, self._prepared, self._say)
        self._devices.require_same("the step they go on from", step)
        return state, keeper, step

    @contextlib.contextmanager
    def _together(self, loop: TrainingLoop | None = None) -> Iterator[None]:
        """Says which process is gone where TensorFlow fails because one is."""
        try:
            yield
        except self._devices.failures() as failure:
            where = f"step {loop.done}" if loop else "at the start"
            raise ProcessLost(f"{where}: another process of this run is gone: {self._devices.cause(failure)}") from None

    def _go(self, loop: TrainingLoop, stopping: Stopping, journal: Journal) -> str:
        """Runs the loop, with the attempt's beginning and end in the manifest."""
        history = self._begin(loop.done)
        outcome = "failed"
        stopping.has_state = True  # from now on a signal is worth a checkpoint
        try:
            with self._together(loop):
                reason = loop.run(self._lock.beat)
            outcome = "finished" if reason else "stopped"
        finally:
            journal.close()
            manifest.finish_attempt(history, loop.done, outcome)
            try:
                manifest.write_manifest(self._run.manifest, history)
            except OSError as error:  # the state is what counts
                self._say(f"cannot write {self._run.manifest}: {error.strerror}")
        return reason

    def _stay(self, step: int, reason: str) -> int:
        hint = "raise training.steps to go on" if step >= self._training.steps else "change its limits with --set to go on"
        self._say(f"{self._run.folder}: {reason}; {hint}")
        return EXIT_OK

    def _begin(self, step: int) -> Any:
        experiment = self._experiment
        if self._run.manifest.exists():
            history = manifest.read_manifest(self._run.manifest)
        else:
            seeds = {"training": self._training.seed}
            history = manifest.new_manifest(experiment.name, experiment.fingerprint, self._prepared.fingerprint, seeds)
        manifest.begin_attempt(history, sys.argv, step, threads())
        manifest.write_manifest(self._run.manifest, history)
        return history

    def _watchers(self) -> list[Watcher]:
        about = About(self._experiment.name, self._run.folder, self._experiment.canonical())
        watching = self._training.watching
        told = watching.trackers if self._devices.is_chief else []
        trackers = [Guarded(one.type, functools.partial(one.open, about), self._say) for one in told]
        return [TensorBoard(self._run.tensorboard, watching, about), *trackers]

    def _pictures(self, split: Any, features: dict[str, Any]) -> AttentionPictures | None:
        if not self._training.watching.attention:
            return None
        return AttentionPictures(self._experiment, next(evaluation_batches(split, features, batch_size=1)).arrays)

    def _inputs(self) -> Inputs:
        recipe, training, features = self._experiment.recipe, self._training, self._experiment.recipe.task.features()
        loader = training_loader(self._experiment, self._prepared)
        steps = last_step(training, loader.plan)
        split = self._prepared.splits.get(training.validation.split)
        if split is None:
            return Inputs(loader, self._prepared.codecs, steps)
        return Inputs(
            loader,
            self._prepared.codecs,
            steps,
            validation=lambda: (batch.arrays for batch in evaluation_batches(split, features, max_tokens=recipe.evaluation.max_tokens)),
            judge=Judge(self._experiment, self._prepared.codecs, split) if training.validation.decode else None,
            pictures=self._pictures(split, features),
        )


def warm_up(training: Any, state: Any, prepared: Any, say: Say) -> None:
    """Gives a state before its first step the data's statistics and, where the recipe says so, weights of another run."""
    for path, value in prepared.statistics.items():
        state.weights[path].assign(value)
    if training.warm_start is not None:
        training.warm_start.apply(state.weights, prepared.codecs, say)
    for path, variable in state.average.items():
        variable.assign(state.weights[path])


def training_loader(experiment: Any, prepared: Any) -> Loader:
    """The batches that a run learns from."""
    recipe = experiment.recipe
    return make_loader(prepared.splits, recipe.data, recipe.task.features(), recipe.training.seed)


def last_step(training: Any, plan: BatchPlan) -> int:
    """Where a run ends at the latest: by its steps, or by its epochs, rounded up."""
    if training.max_epochs is None:
        return training.steps
    return min(training.steps, math.ceil(training.max_epochs * plan.batches_per_epoch / training.accumulate_batches))


def _refuse_lost_checkpoints(run: RunDirectory, step: int) -> None:
    """A run that has saved before never starts over by itself, even if its checkpoints are gone."""
    saved = [record["saved"] for record in records.read(run.records, "event") if "saved" in record]
    if run.manifest.exists():
        saved += [attempt.last_step for attempt in manifest.read_manifest(run.manifest).attempts if attempt.last_step]
    if saved and not step:
        raise UserError(
            f"{run.folder} saved a checkpoint at step {saved[-1]}, but its checkpoints are gone",
            hint=f"bring back {run.checkpoints}; to start over, delete {run.folder} yourself or choose another place with --run",
        )
