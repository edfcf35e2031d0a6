"""Evaluating a run on one split: loss, outputs, metrics, and the files that keep them."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

from seqcfg.component.component import Component
from seqcfg.data.loader import evaluation_batches
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.settings import Decoding
from seqcfg.errors import UserError
from seqcfg.evaluation.settings import Evaluation
from seqcfg.metrics.score import Score
from seqcfg.tasks.held_out import HeldOutLoss


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """scores in the recipe's order; losses: nats per weighted token; texts are empty where nothing was decoded."""

    split: str
    label: str
    step: int
    scores: list[Score]
    losses: dict[str, float]
    sources: list[str]
    hypotheses: list[str]
    references: list[str]
    num_cut: int = 0
    seconds: float = 0.0


def evaluate(trained: Any, columns: Any, split: str, progress: Callable[[str, int, int], None]) -> Evaluated:
    """Measures a trained run (tasks.trained.Trained) on prepared columns by the recipe's evaluation section."""
    recipe = trained.experiment.recipe
    settings: Any = recipe.evaluation or Evaluation()
    task, features = recipe.task, recipe.task.features()
    progress("loss", 0, columns.num_examples)
    held_out = HeldOutLoss(task, trained.declaration, trained.precision)
    decoder = Decoder(task, trained.declaration, trained.weights, trained.codecs, recipe.decoding or Decoding(), trained.precision)
    batches = evaluation_batches(columns, features, max_tokens=settings.max_tokens)
    losses = held_out(decoder.weights, (batch.arrays for batch in batches))
    start = time.monotonic()
    sources = references = hypotheses = []
    if any(metric.needs == "strings" for metric in settings.metrics):
        sources, references = task.sources(columns), task.references(columns)
        decoded = decoder.decode(sources, lambda done: progress("decoding", done, len(sources)))
        hypotheses = [one.text for one in decoded]
    return Evaluated(
        split=split,
        label=trained.label,
        step=trained.step,
        scores=measure(settings.metrics, hypotheses, references, losses),
        losses=losses,
        sources=sources,
        hypotheses=hypotheses,
        references=references,
        num_cut=decoder.num_cut,
        seconds=time.monotonic() - start,
    )


def measure(metrics: list[Any], hypotheses: list[str], references: list[str], losses: dict[str, float]) -> list[Score]:
    """The score of every metric, each output having one reference."""
    return [
        metric.from_means(losses) if metric.needs == "loss" else metric.compute(hypotheses, [[reference] for reference in references])
        for metric in metrics
    ]


def columns_of(prepared: Any, split: str) -> Any:
    """The columns of a split; raises UserError with the splits there are."""
    if split not in prepared.splits:
        raise UserError(f"the data has no split {split!r}", hint=f"there are {', '.join(prepared.splits)}")
    return prepared.splits[split]


def write(trained: Any, evaluated: Evaluated) -> Any:
    """Stores the result below the run's evaluations/ and returns the folder; an earlier one of the same name is replaced."""
    folder = f"evaluations/{evaluated.split}-{evaluated.label}"
    for name in ("sources", "hypotheses", "references"):
        trained.run.write(f"{folder}/{name}.txt", "".join(f"{one_line(text)}\n" for text in getattr(evaluated, name)))
    text = json.dumps(summary(trained, evaluated), indent=1, ensure_ascii=False)
    return trained.run.write(f"{folder}/metrics.json", text + "\n").parent  # last: it says that the rest is there


def summary(trained: Any, evaluated: Evaluated) -> dict[str, Any]:
    """What metrics.json holds."""
    return {
        "split": evaluated.split,
        "checkpoint": evaluated.label,
        "step": evaluated.step,
        "lines": len(evaluated.hypotheses),
        "lines_cut": evaluated.num_cut,
        "seconds_decoding": round(evaluated.seconds, 3),
        "metrics": [dataclasses.asdict(score) for score in evaluated.scores],
        "losses": evaluated.losses,
        "decoding": as_plain(trained.experiment.recipe.decoding or Decoding()),
        "fingerprint": trained.experiment.fingerprint,
    }


def as_plain(component: Any) -> dict[str, Any]:
    """A component's fields, with its type where it has one."""
    plain: dict[str, Any] = {"type": component.type} if component.type else {}
    for field in dataclasses.fields(component):
        value = getattr(component, field.name)
        plain[field.name] = as_plain(value) if isinstance(value, Component) else value
    return plain


def one_line(text: str) -> str:
    """The text without line breaks, so that files keep one line per example."""
    return text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
