"""Where an update is computed: one device. The other places offer the same."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from seqcfg.lazy import tf


class Devices:
    """One device of one process.

    An update runs once per replica on its rows of each batch; what the replicas found is added up, and every one of
    them changes its copy of the weights in the same way.
    """

    count = 1  # replicas over all processes
    process = 0  # the number of this process
    is_chief = True  # whether this process writes the run directory

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Variables of the state are created within it."""
        return contextlib.nullcontext()

    def run(self, update: Callable[[list[Any]], dict[str, Any]], batches: list[Any]) -> dict[str, Any]:
        """One update on every replica; returns what the first one measured."""
        return update(batches)

    def part(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The rows of a batch that this replica computes. Called in `update`, like the following."""
        return batch

    def computes(self, rows: int) -> Any:
        """Which rows of a batch of so many this process's replicas compute: bool [rows], or None for all."""
        return None

    def index(self) -> Any:
        """The number of this replica, from 0."""
        return 0

    def total(self, gradients: Any, seen: Any, updates: Any) -> tuple[Any, Any, Any]:
        """Gradients and measurements summed over the replicas, new values of untrained weights as their mean."""
        return gradients, seen, updates

    def same(self, value: Any) -> Any:
        """A random tensor as all devices that share the state must draw it. Called in `update`."""
        return value

    def once(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        """`compute` as a function of the graph, of which there is one copy however often it is called."""
        return tf.function(compute, autograph=False, experimental_attributes={"_noinline": True})

    def flag(self) -> Any:
        """A variable that ends a call when it is set on any process."""
        return tf.Variable(False, trainable=False)

    def stop_before(self, flag: Any) -> Any:
        """Whether a call ends before its first update. Called outside `update`."""
        return flag.read_value()

    def stop_after(self, flag: Any) -> Any:
        """Whether a call ends after this update; every process gets the same answer."""
        return flag.read_value()

    @property
    def waits_for_others(self) -> bool:
        """Whether a process that leaves the loop alone keeps others waiting."""
        return False

    def failures(self) -> tuple[type[BaseException], ...]:
        """What TensorFlow raises when another process is gone."""
        return ()

    def patience(self) -> contextlib.AbstractContextManager[Any]:
        """Entered for each call of several updates, which ends the process where others do not come."""
        return contextlib.nullcontext()

    def cause(self, failure: BaseException) -> str:
        """Which process is gone, and how that was seen."""
        return str(failure)

    def require_same(self, what: str, number: int) -> None:
        """Raises UserError unless all processes give the same number."""
