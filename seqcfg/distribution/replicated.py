"""Several replicas of the weights, in one process or many, through TensorFlow's strategies."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

from seqcfg.distribution.devices import Devices
from seqcfg.distribution.patience import patience
from seqcfg.errors import UserError
from seqcfg.lazy import np, tf


class Replicated(Devices):
    """The replicas of a strategy; each computes every `count`-th row of a batch, and each process reads the rows of its own.

    So what a step sees does not depend on how many replicas there are, and a run may go on with another number.
    """

    def __init__(self, strategy: Any, process: int = 0, addresses: tuple[str, ...] = ("",), patience_seconds: float | None = None):
        self._strategy = strategy
        self.count = strategy.num_replicas_in_sync
        self.process, self._num_processes, self._addresses = process, len(addresses), addresses
        self._patience_seconds = patience_seconds
        self.is_chief = process == 0

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        return self._strategy.scope()

    def run(self, update: Callable[[list[Any]], dict[str, Any]], batches: list[Any]) -> dict[str, Any]:
        results = self._strategy.run(update, args=(batches,))
        return {name: self._strategy.experimental_local_results(value)[0] for name, value in results.items()}

    def part(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {name: value[self.index() :: self.count] for name, value in batch.items()}

    def computes(self, rows: int) -> Any:
        if self._num_processes == 1:
            return None
        return np.arange(rows) % self.count // (self.count // self._num_processes) == self.process

    def index(self) -> Any:
        return tf.distribute.get_replica_context().replica_id_in_sync_group

    def total(self, gradients: Any, seen: Any, updates: Any) -> tuple[Any, Any, Any]:
        gradients, sums, updates = self._sum((gradients, tf.stack(list(seen.values())), updates))
        means = {path: value / self.count for path, value in updates.items()}
        return gradients, dict(zip(seen, tf.unstack(sums), strict=True)), means

    def flag(self) -> Any:
        with self.scope():
            return tf.Variable(False, trainable=False)

    def stop_before(self, flag: Any) -> Any:
        """Processes agree in updates only, so a call of several makes one at least."""
        return flag.read_value() if self._num_processes == 1 else tf.constant(False)

    def stop_after(self, flag: Any) -> Any:
        return self._sum(tf.cast(flag.read_value(), tf.float32)) > 0.0

    @property
    def waits_for_others(self) -> bool:
        return self._num_processes > 1

    def failures(self) -> tuple[type[BaseException], ...]:
        errors = tf.errors
        return (
            (errors.UnavailableError, errors.AbortedError, errors.DeadlineExceededError, errors.CancelledError)
            if self.waits_for_others
            else ()
        )

    def patience(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext() if self._patience_seconds is None else patience(self._patience_seconds)

    def cause(self, failure: BaseException) -> str:
        """The addresses of the processes that TensorFlow misses, and its first words that say why."""
        text = str(failure)
        missed = text.partition("unhealthy")[2] or text.rpartition("remote target")[2]  # the last: others only pass it on
        numbers = sorted({int(number) for number in re.findall(r"/task:(\d+)", missed)} - {self.process})
        lines = [line.strip().removeprefix("Collective ops is aborted by: ") for line in text.strip().splitlines()]
        reasons = [line for line in lines if re.search(r"heartbeat|Connection|Socket closed|timed out|aborted|[Dd]eadline", line)]
        gone = ", ".join(self._addresses[number] for number in numbers if number < len(self._addresses))
        return f"{gone or 'which one is not known'} ({(reasons or lines)[0][:200]})"

    def require_same(self, what: str, number: int) -> None:
        """Raises UserError unless all processes give the same number, which is below 2^24."""
        average = tf.function(lambda: self.run(lambda _: {"mean": self._sum(tf.constant(float(number))) / self.count}, []), autograph=False)
        mean = float(average()["mean"].numpy())
        if mean != number:
            raise UserError(
                f"processes of the run differ in {what}: this one has {number}, the mean is {mean:g}",
                hint="let all of them use the same run directory on a file system that they share",
            )

    def _sum(self, values: Any) -> Any:
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)
