"""Journal: what a run tells about itself, in one place for all who listen."""

from __future__ import annotations

from typing import Any

from seqcfg.runs import records
from seqcfg.runs.trace import Trace
from seqcfg.training.roll_back import WentBack


class Watcher:
    """Whoever listens to a run: event files, trackers. Nothing that goes wrong here may end a run."""

    def record(self, step: int, kind: str, values: dict[str, Any]) -> None:
        """What was seen after `step` updates; kind is train, validation or event."""

    def samples(self, step: int, samples: list[dict[str, str]]) -> None:
        """A few decoded examples: source, output, reference."""

    def pictures(self, step: int, pictures: dict[str, Any]) -> None:
        """{name: float32 [height, width] between 0 and 1}."""

    def weights(self, step: int, weights: dict[str, Any]) -> None:
        """{path: variable}; called at every validation."""

    def close(self) -> None:
        """The run ends."""


class Journal:
    """Writes records.jsonl, tells the watchers, and remembers the validations of the whole run; `trace` is the exact evidence."""

    def __init__(self, curve: records.Records, watchers: list[Watcher], trace: Trace):
        self._curve, self.watchers, self.trace = curve, watchers, trace
        known = records.read(curve.path)
        self.validations: list[tuple[int, dict[str, Any]]] = [(one["step"], one) for one in known if one["kind"] == "validation"]
        self._rollbacks = sum("rolled_back" in one for one in known)
        self.non_finite: list[int] = [one["non_finite"] for one in known if "non_finite" in one]  # updates left out

    def write(self, step: int, kind: str, **values: Any) -> None:
        self._curve.append(step, kind, **values)
        if kind == "validation":
            self.validations.append((step, values))
        if "non_finite" in values:
            self.non_finite.append(step)
        for watcher in self.watchers:
            watcher.record(step, kind, values)

    def tell_of(self, history: list[WentBack]) -> None:
        """Writes down, once, when the run has gone back, at the steps to which it went."""
        for one in history[self._rollbacks :]:
            self.write(one.to, "event", rolled_back=one.to_json())
        self._rollbacks = len(history)

    def samples(self, step: int, samples: list[dict[str, str]]) -> None:
        for watcher in self.watchers:
            watcher.samples(step, samples)

    def pictures(self, step: int, pictures: dict[str, Any]) -> None:
        for watcher in self.watchers:
            watcher.pictures(step, pictures)

    def weights(self, step: int, weights: dict[str, Any]) -> None:
        for watcher in self.watchers:
            watcher.weights(step, weights)

    def validated_at(self, step: int) -> dict[str, Any]:
        """The figures of a step; empty when there was no validation then."""
        return next((figures for at, figures in reversed(self.validations) if at == step), {})

    def forget_validation(self, step: int) -> None:
        """Takes back the validation of a step."""
        if self.validated_at(step):
            self._curve.drop(step, "validation")
            self.validations = [(at, figures) for at, figures in self.validations if at != step]

    def sync(self) -> None:
        """Waits until all records are on the disk."""
        self._curve.sync()

    def close(self) -> None:
        for watcher in self.watchers:
            watcher.close()
