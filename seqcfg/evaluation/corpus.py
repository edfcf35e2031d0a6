"""Evaluating a run on one split: loss, outputs, metrics, and what each line contributed to them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from seqcfg.component.component import Component
from seqcfg.data.loader import evaluation_batches
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.settings import Decoding
from seqcfg.decoding.with_outputs import with_outputs
from seqcfg.errors import UserError
from seqcfg.evaluation.measure import Measured, counts_of, measure
from seqcfg.evaluation.settings import Evaluation
from seqcfg.metrics.score import Score
from seqcfg.tasks.held_out import HeldOutLoss


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """measured in the recipe's order; losses: nats per weighted token; texts and decoded are empty where nothing was decoded.

    references[i] are those of line i; decoded[i] is a decoding.decoder.Decoded.
    """

    split: str
    label: str
    step: int
    measured: list[Measured]
    losses: dict[str, float]
    sources: list[str]
    references: list[list[str]]
    decoded: list[Any]
    num_cut: int = 0
    seconds: float = 0.0

    @property
    def scores(self) -> list[Score]:
        return [one.score for one in self.measured]

    @property
    def hypotheses(self) -> list[str]:
        return [one.text for one in self.decoded]


class Evaluator:
    """Evaluates weights of one recipe on one split, as often as wanted; the searches are traced once."""

    def __init__(self, trained: Any, columns: Any, split: str):
        """trained: a tasks.trained.Trained; columns: the split's."""
        self.experiment, self.split, self._columns = trained.experiment, split, columns
        recipe = trained.experiment.recipe
        settings: Any = recipe.evaluation or Evaluation()
        self._task, self._settings = recipe.task, settings
        most = max([1, *(metric.num_candidates for metric in settings.metrics if metric.needs != "loss")])
        decoding: Any = recipe.decoding or Decoding()
        self.decoding = with_outputs(decoding, most) if most > decoding.search.num_outputs else decoding
        self._held_out = HeldOutLoss(self._task, trained.declaration, trained.precision)
        self._decoder = Decoder(self._task, trained.declaration, trained.weights, trained.codecs, self.decoding, trained.precision)

    def __call__(self, trained: Any, progress: Callable[[str, int, int], None]) -> Evaluated:
        """Measures the weights of `trained`, which must be of the recipe that the evaluator was made for."""
        for path, variable in self._decoder.weights.items():
            variable.assign(trained.weights[path])
        columns, task = self._columns, self._task
        progress("loss", 0, columns.num_examples)
        batches = evaluation_batches(columns, task.features(), max_tokens=self._settings.max_tokens)
        losses = self._held_out(self._decoder.weights, (batch.arrays for batch in batches))
        start, cut_before = time.monotonic(), self._decoder.num_cut
        sources: list[str] = []
        references: list[list[str]] = []
        decoded: list[Any] = []
        if any(metric.needs != "loss" for metric in self._settings.metrics):
            sources, references = task.sources(columns), [_as_list(one) for one in task.references(columns)]
            decoded = self._decoder.decode(sources, lambda done: progress("decoding", done, len(sources)))
        seconds = time.monotonic() - start
        counts = counts_of(task.references(columns), self._held_out.weight) if _needs_counts(self._settings.metrics) else {}
        measured = measure(self._settings, sources, decoded, references, losses, counts)
        num_cut = self._decoder.num_cut - cut_before
        return Evaluated(self.split, trained.label, trained.step, measured, losses, sources, references, decoded, num_cut, seconds)


def evaluate(trained: Any, columns: Any, split: str, progress: Callable[[str, int, int], None]) -> Evaluated:
    """Measures a trained run (tasks.trained.Trained) on prepared columns by the recipe's evaluation section."""
    return Evaluator(trained, columns, split)(trained, progress)


def columns_of(prepared: Any, split: str) -> Any:
    """The columns of a split; raises UserError with the splits there are."""
    if split not in prepared.splits:
        raise UserError(f"the data has no split {split!r}", hint=f"there are {', '.join(prepared.splits)}")
    return prepared.splits[split]


def as_plain(component: Any) -> dict[str, Any]:
    """A component's fields, with its type where it has one."""
    plain: dict[str, Any] = {"type": component.type} if component.type else {}
    for field in dataclasses.fields(component):
        value = getattr(component, field.name)
        plain[field.name] = as_plain(value) if isinstance(value, Component) else value
    return plain


def _needs_counts(metrics: list[Any]) -> bool:
    return any(getattr(metric, "per", "token") != "token" for metric in metrics if metric.needs == "loss")


def _as_list(references: Any) -> list[str]:
    return [references] if isinstance(references, str) else list(references)
