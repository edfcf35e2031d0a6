"""A trace of some steps, for TensorBoard and as a list of what took the time."""

from __future__ import annotations

import collections
import re
from pathlib import Path
from typing import NamedTuple

from seqcfg.errors import UserError
from seqcfg.lazy import tf, xplane

SHOWN = 15


class Cost(NamedTuple):
    """seconds over all threads, and how many times an operation ran."""

    name: str
    seconds: float
    times: int


class Profiler:
    """Traces the updates from `first` to `last` finished ones into `folder`; without bounds it does nothing."""

    def __init__(self, folder: Path, bounds: tuple[int, int] | None = None):
        self._folder, self._bounds, self._is_running = folder, bounds, False

    def next_stop(self, done: int) -> list[int]:
        """The bounds that lie ahead, at which the host must look."""
        return [bound for bound in self._bounds or () if bound > done]

    def look(self, done: int) -> list[str]:
        """Begins or ends the trace where it is time; returns the lines to print at its end."""
        if self._bounds is None:
            return []
        if done == self._bounds[0] and not self._is_running:
            tf.profiler.experimental.start(str(self._folder))
            self._is_running = True
        elif self._is_running and done >= self._bounds[1]:
            return self.stop()
        return []

    def stop(self) -> list[str]:
        """Ends a trace that is running."""
        if not self._is_running:
            return []
        tf.profiler.experimental.stop()
        self._is_running = False
        costs = most_expensive(self._folder)
        total = sum(cost.seconds for cost in costs) or 1.0
        lines = [f"operations of the steps {self._bounds[0]} to {self._bounds[1]}, {total:.3f} s over all threads:"]  # type: ignore[index]
        lines += [f"  {cost.seconds:9.4f} s  {cost.seconds / total:6.1%}  {cost.times:7d} x  {cost.name}" for cost in costs[:SHOWN]]
        return [*lines, f"the trace is in {self._folder}: tensorboard --logdir {self._folder}"]


def parse_steps(text: str) -> tuple[int, int]:
    """`steps=100:110` -> (100, 110); raises UserError."""
    match = re.fullmatch(r"steps=(\d+):(\d+)", text)
    if match is None or int(match[1]) >= int(match[2]):
        raise UserError(f"--profile {text}: is not steps=FIRST:LAST", hint="such as --profile steps=100:110, which traces ten updates")
    return int(match[1]), int(match[2])


def most_expensive(folder: Path) -> list[Cost]:
    """The kinds of operations in the newest trace below `folder`, most expensive first; on a GPU, its kernels."""
    newest = max(folder.rglob("*.xplane.pb"), key=lambda path: path.parent.name, default=None)
    if newest is None:
        return []
    space = xplane.XSpace.FromString(newest.read_bytes())
    devices = [plane for plane in space.planes if plane.name.startswith("/device:GPU")]
    planes = devices or [plane for plane in space.planes if plane.name == "/host:CPU"]
    seconds: dict[str, float] = collections.defaultdict(float)
    counts: collections.Counter[str] = collections.Counter()
    for plane in planes:
        for line in plane.lines:
            for event in line.events:
                if name := _operation(plane.event_metadata[event.metadata_id].name, is_kernel=bool(devices)):
                    seconds[name] += event.duration_ps / 1e12
                    counts[name] += 1
    return [Cost(name, seconds[name], counts[name]) for name in sorted(seconds, key=lambda name: -seconds[name])]


def _operation(name: str, is_kernel: bool) -> str:
    """The kind of an operation: TensorFlow names its events "place/of/it:Kind"; others are threads' own business."""
    if is_kernel:
        return name
    kind = name.rpartition(":")[2]
    is_one = ":" in name and re.fullmatch(r"_?[A-Z]\w*", kind) is not None and "::" not in name
    return kind if is_one and kind not in _CALLERS else ""


_CALLERS = {
    "While",
    "StatelessWhile",
    "If",
    "StatelessIf",
    "PartitionedCall",
    "StatefulPartitionedCall",
}  # their time is that of what they call
