"""One call of `seqcfg train`: a new run, or one that goes on where it stopped."""

from __future__ import annotations

import contextlib
import functools
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seqcfg.distribution.devices import Devices
from seqcfg.distribution.lost import ProcessLost
from seqcfg.errors import EXIT_OK, EXIT_PROBLEM, UserError
from seqcfg.lazy import tf
from seqcfg.recipe.experiment import load
from seqcfg.recipe.write import to_yaml
from seqcfg.runs import evaluations, lockfile, manifest, records
from seqcfg.runs.crash import CrashReport
from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.durable import write_file
from seqcfg.runs.lock import RunLock
from seqcfg.runs.trace import Trace
from seqcfg.training.following import Follower
from seqcfg.training.inputs import make_inputs
from seqcfg.training.journal import Journal, Watcher
from seqcfg.training.keeping import Keeper
from seqcfg.training.locking import lock_of, threads
from seqcfg.training.loop import TrainingLoop
from seqcfg.training.profiling import Profiler
from seqcfg.training.resume import refuse_changes
from seqcfg.training.roll_back import history_in
from seqcfg.training.state import State, create_state
from seqcfg.training.stopping import Stopping
from seqcfg.training.tensorboard import TensorBoard
from seqcfg.training.trackers.about import About
from seqcfg.training.trackers.guarded import Guarded
from seqcfg.training.trouble import GoBack

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
        with self._together(), self._devices.patience():
            state, keeper = self._state()
        while True:
            with self._together(), self._devices.patience():
                step = self._take_up(state, keeper)
            try:
                return self._train(state, step, keeper, stopping, report, profiler)
            except GoBack as going:
                history = [*history_in(keeper.metadata), going.went_back]
            times = f"{len(history)} of {self._training.roll_back.max_times} times"
            self._say(f"{self._run.folder}: {history[-1]} (training.roll_back, {times})")
            with self._together(), self._devices.patience():
                keeper.go_back(history)
                self._devices.require_same("the step they go back to", history[-1].to)

    def _train(self, state: State, step: int, keeper: Keeper, stopping: Stopping, report: CrashReport, profiler: Profiler) -> int:
        """From the state after `step` updates to an end; raises GoBack where an earlier one is to be taken up."""
        run, history = self._run, history_in(keeper.metadata)
        with records.Records(run.records) as curve:
            curve.truncate_after(step)
            journal = Journal(curve, self._watchers(), Trace(run.folder, step))
            journal.tell_of(history)
            if history and self._devices.is_chief:
                evaluations.remove_after(self._shared.evaluations, step)  # of states that were taken back
            inputs = make_inputs(self._experiment, self._prepared, history)
            loop = TrainingLoop(self._experiment, state, inputs, keeper, journal, stopping, self._devices, profiler)
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

    def _state(self) -> tuple[State, Keeper]:
        """The state before the first step, and who keeps it."""
        recipe = self._experiment.recipe
        tf.config.experimental.enable_op_determinism()
        tf.random.set_seed(self._training.seed)
        with self._devices.scope():
            state = create_state(self._experiment.declaration, self._training)
        best = recipe.evaluation.best
        keeper_type = Keeper if self._devices.is_chief else Follower
        return state, keeper_type(
            self._shared.checkpoints, self._training.checkpoint, best.metric, best.goal == "maximize", self._lock.require,
            self._training.roll_back,
        )  # fmt: skip

    def _take_up(self, state: State, keeper: Keeper) -> int:
        """Puts the newest checkpoint into the state, or what it begins with; returns its step."""
        step = keeper.restore(state.variables(), self._say)
        if keeper.newest is None:
            _refuse_lost_checkpoints(self._run)
        if not step:
            warm_up(self._training, state, self._prepared, self._say)
        self._devices.require_same("the step they go on from", step)
        return step

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
        except GoBack:
            outcome = "rolled back"
            raise
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


def warm_up(training: Any, state: Any, prepared: Any, say: Say) -> None:
    """Gives a state before its first step the data's statistics and, where the recipe says so, weights of another run."""
    for path, value in prepared.statistics.items():
        state.weights[path].assign(value)
    if training.warm_start is not None:
        training.warm_start.apply(state.weights, prepared.codecs, say)
    for path, variable in state.average.items():
        variable.assign(state.weights[path])


def _refuse_lost_checkpoints(run: RunDirectory) -> None:
    """A run that has saved before never starts over by itself when its checkpoints are gone."""
    saved = [record["saved"] for record in records.read(run.records, "event") if "saved" in record]
    if run.manifest.exists():
        saved += [attempt.last_step for attempt in manifest.read_manifest(run.manifest).attempts if attempt.last_step]
    if saved:
        raise UserError(
            f"{run.folder} saved a checkpoint at step {saved[-1]}, but its checkpoints are gone",
            hint=f"bring back {run.checkpoints}; to start over, delete {run.folder} yourself or choose another place with --run",
        )
