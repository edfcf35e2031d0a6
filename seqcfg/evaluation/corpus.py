"""Evaluating a run on one split: loss, outputs, metrics, and what each line contributed to them."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

from seqcfg.component.component import Component
from seqcfg.data.loader import evaluation_batches
from seqcfg.decoding.alignment import Aligner
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.scoring import Scorer
from seqcfg.decoding.settings import Decoding
from seqcfg.decoding.with_outputs import with_outputs
from seqcfg.errors import UserError
from seqcfg.evaluation.measure import Measured, Outcome, measure
from seqcfg.evaluation.page import MAX_MAPS
from seqcfg.evaluation.settings import Evaluation
from seqcfg.evaluation.sound_pictures import SoundPictures
from seqcfg.metrics.perplexity import Perplexity
from seqcfg.metrics.score import Score
from seqcfg.tasks.held_out import HeldOutLoss
from seqcfg.tasks.lexicons import lexicon_of
from seqcfg.tasks.partners import partners_of

MAX_DRAWN_TOKENS = 100  # of either side: what is longer makes no picture that one could read


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
        most = max([1, *(getattr(metric, "num_candidates", 1) for metric in settings.metrics)])
        decoding: Any = recipe.decoding or Decoding()
        self.decoding = with_outputs(decoding, most) if most > decoding.search.num_outputs else decoding
        self._held_out = HeldOutLoss(self._task, trained.declaration, trained.precision)
        self._needs = {metric.needs for metric in settings.metrics}
        parts = (trained.codecs, self.decoding, trained.precision)
        partners = partners_of(trained, self.decoding)
        self._decoder = Decoder(self._task, trained.declaration, trained.weights, *parts, partners, lexicon_of(trained, self.decoding))
        self._has_partners = bool(partners)  # whose part in scores the loss does not know of
        self._scorer = Scorer(self._task, trained.declaration, self._decoder.weights, *parts, partners)
        looked_at_by = SoundPictures if self._task.is_of_sounds else Aligner
        self._aligner: Any = looked_at_by(self._task, trained.declaration, self._decoder.weights, *parts)
        self._codecs = trained.codecs

    def __call__(self, trained: Any, progress: Callable[[str, int, int], None]) -> Evaluated:
        """Measures the weights of `trained`, which must be of the recipe that the evaluator was made for."""
        for path, variable in self._decoder.weights.items():
            variable.assign(trained.weights[path])
        progress("loss", 0, self._columns.num_examples)
        batches = evaluation_batches(self._columns, self._task.features(), max_tokens=self._settings.max_tokens)
        losses = self._held_out(self._decoder.weights, (batch.arrays for batch in batches))
        start, cut_before = time.monotonic(), self._decoder.num_cut
        decoded = self._decode(progress)
        seconds = time.monotonic() - start
        is_alone = not self._has_partners
        outcome = Outcome(self.names, self.references, decoded, self._score(progress), losses, self._held_out.weight, is_alone)
        measured = measure(self._settings, outcome)
        num_cut = self._decoder.num_cut - cut_before
        return Evaluated(
            self.split, trained.label, trained.step, measured, losses, self.names, self.references, decoded, num_cut, seconds
        )  # fmt: skip

    @functools.cached_property
    def sources(self) -> Any:
        """What is decoded, where the task knows texts or sounds."""
        return self._task.sources(self._columns) if hasattr(self._task, "sources") else []

    @functools.cached_property
    def names(self) -> list[str]:
        """What sources are called where they are shown."""
        return self._task.source_names(self._columns) if hasattr(self._task, "sources") else []

    @functools.cached_property
    def references(self) -> list[list[str]]:
        """What outputs are compared with, where the task knows texts."""
        return [_as_list(one) for one in self._task.references(self._columns)] if hasattr(self._task, "references") else []

    def attention(self, evaluated: Evaluated, progress: Callable[[str, int, int], None]) -> dict[int, dict[str, Any]]:
        """{index of a line: its attention as a page draws it}, of the lines that the page shows first.

        Raises UserError where outputs have no source to be aligned with.
        """
        if self._task.is_of_sounds:
            return self._pictures(evaluated, progress)
        places = [place for place, one in enumerate(evaluated.decoded) if len(one.ids[0]) <= MAX_DRAWN_TOKENS][:MAX_MAPS]
        progress("attention", 0, len(places))
        outputs = [evaluated.decoded[place].ids[0] for place in places]
        matrices = self._aligner.attention([evaluated.sources[place] for place in places], outputs)
        source, target = self._task.source_codec(self._codecs), self._task.target_codec(self._codecs)
        inputs = source.encode([evaluated.sources[place] for place in places])
        return {
            place: {"source": source.tokens(given[: matrix.shape[1]]), "target": target.tokens(ids), "weights": matrix.round(3).tolist()}
            for place, ids, given, matrix in zip(places, outputs, inputs, matrices, strict=True)
            if matrix.size and matrix.shape[1] <= MAX_DRAWN_TOKENS
        }

    def _pictures(self, evaluated: Evaluated, progress: Callable[[str, int, int], None]) -> dict[int, dict[str, Any]]:
        ids = [one.ids[0] for one in evaluated.decoded]
        return self._aligner(self.sources, ids, list(range(len(ids))), lambda done: progress("pictures", done, len(ids)))

    def _decode(self, progress: Callable[[str, int, int], None]) -> list[Any]:
        if not self._needs & {"strings", "sources"}:
            return []
        return self._decoder.decode(self.sources, lambda done: progress("decoding", done, len(self.sources)))

    def _score(self, progress: Callable[[str, int, int], None]) -> list[Any]:
        """The references as the model finds them, one by one, where a metric asks for it and the task can tell."""
        if not hasattr(self._task, "encode_pairs"):
            if "scored" in self._needs:
                hint = "leave out the metrics that look at single tokens of references"
                raise UserError(f"the task {self._task.type} does not score pairs of texts", hint=hint)
            return []
        of_lines = not self._has_partners and any(isinstance(metric, Perplexity) for metric in self._settings.metrics)
        if "scored" not in self._needs and not of_lines:
            return []
        texts = [one[0] for one in self.references]
        given = [""] * len(texts) if getattr(self._task, "continues", False) else self.sources
        return self._scorer.score(given, texts, lambda done: progress("scoring", done, len(texts)))


def evaluate(trained: Any, columns: Any, split: str, progress: Callable[[str, int, int], None]) -> Evaluated:
    """Measures a trained run (tasks.trained.Trained) on prepared columns by the recipe's evaluation section."""
    return Evaluator(trained, columns, split)(trained, progress)


def columns_of(prepared: Any, split: str) -> Any:
    """The columns of a split; raises UserError with the splits there are."""
    if split not in prepared.splits:
        raise UserError(f"the data has no split {split!r}", hint=f"there are {', '.join(prepared.splits)}")
    return prepared.splits[split]


def as_plain(value: Any) -> Any:
    """A component's fields as JSON can hold them, with its type where it has one; other values as they are."""
    if isinstance(value, dict):
        return {name: as_plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(one) for one in value]
    if not isinstance(value, Component):
        return value
    component: Any = value
    fields = {field.name: as_plain(getattr(value, field.name)) for field in dataclasses.fields(component)}
    return ({"type": value.type} if value.type else {}) | fields


def _as_list(references: Any) -> list[str]:
    return [references] if isinstance(references, str) else list(references)
