"""The training loop of one run, from wherever it stands: steps, records, validation, checkpoints."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from seqcfg.distribution.devices import Devices
from seqcfg.lazy import tf
from seqcfg.runs.machine import resident_bytes
from seqcfg.tasks.held_out import HeldOutLoss
from seqcfg.training.examine import Examiner
from seqcfg.training.inputs import Inputs
from seqcfg.training.journal import Journal
from seqcfg.training.keeping import Keeper
from seqcfg.training.mesh_step import step_on
from seqcfg.training.meter import Meter
from seqcfg.training.profiling import Profiler
from seqcfg.training.progress import TrainingProgress
from seqcfg.training.roll_back import history_in
from seqcfg.training.state import State
from seqcfg.training.step import MEASURED
from seqcfg.training.stopping import Stopping
from seqcfg.training.trouble import Trouble


class Interrupted(Exception):
    """A validation that is not finished because the run must end."""


class TrainingLoop:
    """Runs one experiment's training section over a state, and keeps the run directory up to date."""

    def __init__(
        self, experiment: Any, state: State, inputs: Inputs, keeper: Keeper, journal: Journal, stopping: Stopping, devices: Devices,
        profiler: Profiler,
    ):  # fmt: skip
        self._profiler = profiler
        self._training = experiment.recipe.training
        self._state, self._inputs, self._keeper, self._journal, self._stopping = state, inputs, keeper, journal, stopping
        self._devices, self._is_stopped = devices, False
        self._step = step_on(devices, experiment, state, inputs.loader.augmentation)
        self._held_out = HeldOutLoss(experiment.recipe.task, experiment.declaration, self._training.precision)
        self.done = int(state.step.numpy())
        examiner = Examiner(experiment, inputs.codecs, inputs.loader, state)
        self._history = history_in(keeper.metadata)  # when the run has gone back
        self._trouble = Trouble(self._training, state, self._step, examiner, journal, self._history)
        self._meter = Meter()
        self._meter.restore(keeper.metadata.get("meter", {}))
        self._tokens = keeper.metadata.get("tokens", 0.0)  # learnt from since the first step

    def ending(self) -> str:
        """Why the run is over where it stands; empty while it is not. A function of the run's own past alone."""
        training = self._training
        if self.done >= self._inputs.steps:
            return f"all {self._inputs.steps} steps are done"
        if training.max_tokens is not None and self._tokens >= training.max_tokens:
            return f"{self._tokens:,.0f} tokens were learnt from"
        return training.early_stopping.verdict(self._journal.validations) if training.early_stopping is not None else ""

    def run(self, beat: Callable[[], None] = lambda: None) -> str:
        """Trains until the end and returns the reason, or "" when a signal or the budget of time came first.

        `beat` is called between calls into TensorFlow.
        """
        parts = self._training.accumulate_batches
        self._stopping.when_noted.append(lambda: self._step.stop.assign(True))
        with TrainingProgress(self._inputs.steps, self.done) as self._progress:
            if self.done == 0:
                self._journal.trace.note(0, self._state.weights)
                if self._training.roll_back is not None and self._keeper.newest is None:  # a state to go back to
                    self._keeper.save(0, self._state.variables(), self._metadata())
            self._validate_belatedly()
            self._profiler.look(self.done)
            iterator = iter(self._inputs.loader.dataset(self.done * parts, self._inputs.steps * parts, self._devices.computes))
            self._meter.pause()
            while not (reason := self.ending()) and not self._must_stop():
                self._advance(iterator)
                beat()
            self._finish(reason)
        return reason

    def _advance(self, iterator: Any) -> None:
        """One call into TensorFlow, and what is due after it."""
        with self._devices.patience():
            seen = self._step.run(iterator, tf.constant(self._next_stop() - self.done))
            self.done, self._is_stopped = int(self._state.step.numpy()), bool(seen["stop"])
        each = seen["each"].numpy()
        self._meter.add(each)
        self._journal.trace.add(each[:, [MEASURED.index("total"), MEASURED.index("norm")]])
        self._tokens += sum(each[:, MEASURED.index("weight")].tolist())
        self._trouble.meet(self.done, each, self._progress.say)
        if len(each):
            self._progress.update(self.done, self._measured())
            self._look_around()
        for line in self._profiler.look(self.done):
            self._progress.say(line)
        self._report_saved(self._keeper.outcomes())
        self._trouble.refuse_too_many(self.done)

    def _must_stop(self) -> bool:
        """Whether a signal or the budget of time ends the loop here; processes that wait for one another agree in an update."""
        stopping = self._stopping
        if not self._devices.waits_for_others:
            return stopping.is_due
        if stopping.is_due:
            self._step.stop.assign(True)
        elif self._is_stopped:
            stopping.signal = signal.SIGTERM  # that of another process
        return self._is_stopped

    def _next_stop(self) -> int:
        """The next step at which the host has something to do."""
        training, done = self._training, self.done
        intervals = [training.steps_per_call, training.log_every_steps, training.checkpoint.every_steps, training.validation.every_steps]
        intervals += [training.roll_back.every_steps] if training.roll_back is not None else []
        first = done + 1 if done == 0 else done + max(intervals)  # the first step alone: it shows that everything works
        return min(
            first, self._inputs.steps, *self._profiler.next_stop(done), *(done + interval - done % interval for interval in intervals)
        )

    def _look_around(self) -> None:
        training, done = self._training, self.done
        is_last = done == self._inputs.steps
        if done % training.log_every_steps == 0 or is_last or done == 1:
            self._record()
        if done % training.checkpoint.every_steps == 0 or is_last or self._journal.trace.is_wanted(done):
            self._step.settle()
            self._journal.trace.note(done, self._state.weights)
            self._meter.pause()
        if done % training.validation.every_steps == 0 or is_last:
            self._validate()
            self._meter.pause()
        if self._keeper.is_due(done) and not is_last:
            self._journal.sync()
            self._step.settle()
            self._keeper.save(done, self._state.variables(), self._metadata())
            self._meter.pause()

    def _record(self) -> None:
        skipped, memory = int(self._state.skipped.numpy()), resident_bytes()
        measured = self._measured()
        self._journal.write(self.done, "train", **measured, skipped=skipped, memory_bytes=memory)
        if measured.get("left_out"):
            self._progress.say(f"step {self.done}  {measured['left_out']:.0f} examples have more tokens than frames and were left out")
        self._meter.restart()

    def _measured(self) -> dict[str, float]:
        """What the meter tells, and where weights are pruned their `sparsity`."""
        pruning = self._state.under("pruning/")
        return self._meter.measured() | {name: float(variable.numpy()) for name, variable in pruning.items()}

    def _finish(self, reason: str) -> None:
        """What a run owes at its end; after a signal only the checkpoint."""
        for line in self._profiler.stop():
            self._progress.say(line)
        self._step.settle()
        if reason and not self._meter.is_empty:
            self._record()
        if reason and not self._journal.validated_at(self.done):
            self._journal.trace.note(self.done, self._state.weights)
            self._validate()
        self._journal.sync()
        if self.done:
            self._report_saved(self._keeper.save_last(self.done, self._state.variables(), self._metadata()))

    def _metadata(self) -> dict[str, Any]:
        figures = {name: value for name, value in self._journal.validated_at(self.done).items() if name not in ("step", "kind")}
        past = {"rollbacks": [one.to_json() for one in self._history]} if self._history else {}
        return {"metrics": figures, "meter": self._meter.state(), "tokens": self._tokens} | past

    def _validate_belatedly(self) -> None:
        """Makes up for a validation that a signal cut off, so that a resumed run has the validations of an undisturbed one."""
        step, is_known = self.done, bool(self._keeper.metadata.get("metrics"))
        if step and step % self._training.validation.every_steps == 0 and not is_known:
            self._journal.forget_validation(step)  # the state of the checkpoint does not know of it
            self._validate()
            if self._journal.validated_at(step):
                self._keeper.save(step, self._state.variables(), self._metadata())

    def _validate(self) -> None:
        if self._inputs.validation is None:
            return
        self._step.settle()
        weights = self._state.average or self._state.weights
        weights = weights | {path: v for path, v in self._state.weights.items() if path not in weights}
        try:
            metrics = self._held_out(weights, self._until_stopped(self._inputs.validation()))
            if self._inputs.judge is not None:
                metrics |= self._inputs.judge(weights, self._raise_if_stopped)
        except Interrupted:
            return
        self._step.observe(self.done, metrics)
        self._journal.write(self.done, "validation", **metrics)
        self._journal.weights(self.done, weights)
        if self._inputs.pictures is not None:
            self._journal.pictures(self.done, self._inputs.pictures(weights))
        if self._inputs.judge is not None:
            self._journal.samples(self.done, self._inputs.judge.samples)
        self._progress.validated(self.done, metrics)

    def _until_stopped(self, batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            self._raise_if_stopped()
            yield batch

    def _raise_if_stopped(self) -> None:
        if self._stopping.signal is not None:
            raise Interrupted

    def _report_saved(self, outcomes: list[Any]) -> None:
        for outcome in outcomes:
            if outcome.failure:
                self._progress.say(f"{outcome.failure}; training goes on, and saving is tried again")
                self._journal.write(outcome.step, "event", failed=outcome.failure)
            else:
                self._journal.write(outcome.step, "event", saved=outcome.step)
