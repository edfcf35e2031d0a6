"""The training loop of one run, from wherever it stands: steps, records, validation, checkpoints."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from typing import Any

from seqcfg.lazy import tf
from seqcfg.tasks.held_out import HeldOutLoss
from seqcfg.training.keeping import Keeper
from seqcfg.training.progress import TrainingProgress
from seqcfg.training.state import State
from seqcfg.training.step import TrainingStep
from seqcfg.training.stopping import Stopping
from seqcfg.training.tensorboard import ScalarWriter


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The data a loop reads.

    batches(first, last) is a tf.data.Dataset of training batches [first, last); validation yields numpy batches anew
    each time it is called, or is None; judge decodes and scores held-out examples with given weights, or is None.
    """

    batches: Callable[[int, int], Any]
    validation: Callable[[], Iterable[dict[str, Any]]] | None = None
    judge: Callable[[dict[str, Any]], dict[str, float]] | None = None


class TrainingLoop:
    """Runs one experiment's training section over a state, and keeps the run directory up to date."""

    def __init__(
        self, experiment: Any, state: State, inputs: Inputs, keeper: Keeper, records: Any, scalars: ScalarWriter, trace: Any
    ):  # fmt: skip
        self._training, self._trace = experiment.recipe.training, trace
        self._state, self._inputs, self._keeper, self._records, self._scalars = state, inputs, keeper, records, scalars
        self._step = TrainingStep(experiment.recipe.task, experiment.declaration, self._training, state)
        self._held_out = HeldOutLoss(experiment.recipe.task, experiment.declaration, self._training.precision)
        self._validated: dict[int, dict[str, float]] = {}

    def run(self) -> int:
        """Trains until the steps are done or a signal or budget ends it; returns the exit code."""
        training, done = self._training, int(self._state.step.numpy())
        parts = training.accumulate_batches
        if done == 0:
            self._trace.note(0, self._state.weights)
        iterator = iter(self._inputs.batches(done * parts, training.steps * parts))
        with Stopping(training.max_minutes) as stopping, TrainingProgress(training.steps, done) as progress:
            meter = Meter()
            while done < training.steps and not stopping.is_due:
                count = self._next_stop(done) - done
                sums = self._step.run(iterator, tf.constant(count))
                self._trace.add(sums.pop("trace"))
                done += count
                meter.add({name: float(value) for name, value in sums.items()})
                progress.update(done, meter.measured())
                self._look_around(done, meter, progress)
            if self._keeper.newest != done:
                self._save(done, progress)
        return stopping.exit_code

    def _next_stop(self, done: int) -> int:
        """The next step at which the host has something to do."""
        training = self._training
        intervals = (training.steps_per_call, training.log_every_steps, training.checkpoint.every_steps, training.validation.every_steps)
        first = done + 1 if done == 0 else done + max(intervals)  # the first step alone: it shows that everything works
        return min(first, training.steps, *(done + interval - done % interval for interval in intervals))

    def _look_around(self, done: int, meter: Meter, progress: TrainingProgress) -> None:
        training = self._training
        is_last = done == training.steps
        if done % training.log_every_steps == 0 or is_last or done == 1:
            measured = meter.measured()
            self._records.append(done, "train", **measured, skipped=int(self._state.skipped.numpy()))
            self._scalars.write(done, {f"train/{name}": value for name, value in measured.items()})
            meter.restart()
        if self._trace.is_wanted(done):
            self._trace.note(done, self._state.weights)
            meter.pause()
        if done % training.validation.every_steps == 0 or is_last:
            self._validate(done, progress)
            meter.pause()
        if done % training.checkpoint.every_steps == 0 or is_last:
            self._save(done, progress)
            meter.pause()

    def _validate(self, done: int, progress: TrainingProgress) -> None:
        if self._inputs.validation is None:
            return
        weights = self._state.average or self._state.weights
        weights = weights | {path: v for path, v in self._state.weights.items() if path not in weights}
        metrics = self._held_out(weights, self._inputs.validation())
        if self._inputs.judge is not None:
            metrics |= self._inputs.judge(weights)
        self._validated[done] = metrics
        self._records.append(done, "validation", **metrics)
        self._scalars.write(done, {f"validation/{name}": value for name, value in metrics.items()})
        progress.say(f"step {done}  validation  " + "  ".join(f"{name} {value:.4g}" for name, value in metrics.items()))

    def _save(self, done: int, progress: TrainingProgress) -> None:
        self._trace.note(done, self._state.weights)
        warning = self._keeper.save(done, self._state.variables(), self._validated.get(done, {}))
        if warning:
            progress.say(f"{warning}; training goes on")
            self._records.append(done, "event", failed=warning)
        else:
            self._records.append(done, "event", saved=done)


class Meter:
    """Sums measurements between two records; time spent on validation and saving is left out."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._seconds = 0.0
        self._sums: dict[str, float] = {}
        self._since = time.monotonic()

    def pause(self) -> None:
        """Call after something that is not training; the time since the last `add` is not counted."""
        self._since = time.monotonic()

    def add(self, sums: dict[str, float]) -> None:
        now = time.monotonic()
        self._seconds, self._since = self._seconds + now - self._since, now
        for name, value in sums.items():
            self._sums[name] = value if name in ("norm", "rate") else self._sums.get(name, 0.0) + value

    def measured(self) -> dict[str, float]:
        """loss and nll per weighted position; rate, norm; tokens (weighted) per second; share of padding."""
        sums = self._sums
        weight, positions = max(sums["weight"], 1.0), max(sums["positions"], 1.0)
        return {
            "loss": sums["total"] / weight,
            "nll": sums["nll"] / weight,
            "rate": sums["rate"],
            "norm": sums["norm"],
            "tokens": sums["weight"],
            "tokens_per_second": sums["weight"] / max(self._seconds, 1e-9),
            "padding": 1.0 - sums["tokens"] / positions,
            "seconds": self._seconds,
        }
