"""Judging decoded text while training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.greedy import Greedy

NUM_SAMPLES = 8


class Judge:
    """Decodes a split greedily by this model alone and gives the recipe's metrics of text by name; `samples` are its latest outputs."""

    def __init__(self, experiment: Any, codecs: dict[str, Any], columns: Any):
        recipe = experiment.recipe
        count = recipe.training.validation.num_decoded
        self._experiment, self._codecs = experiment, codecs
        self._sources, self._references = recipe.task.sources(columns)[:count], recipe.task.references(columns)[:count]
        self._names = recipe.task.source_names(columns)[:count]
        self._settings = alone(recipe.decoding)
        self._metrics = [metric for metric in recipe.evaluation.metrics if metric.needs == "strings" and is_of_one(metric)]
        self._decoder: Decoder | None = None
        self.samples: list[dict[str, str]] = []

    def __call__(self, weights: dict[str, Any], look: Callable[[], None] = lambda: None) -> dict[str, float]:
        """The figures of {path: variable}; these must be the same objects each time, because the search is traced once.

        `look` is called between batches and may raise.
        """
        if self._decoder is None:
            recipe = self._experiment.recipe
            self._decoder = Decoder(
                recipe.task, self._experiment.declaration, weights, self._codecs, self._settings, recipe.training.precision
            )
        outputs = [one.text for one in self._decoder.decode(self._sources, lambda _: look())]
        found = [metric.compute(outputs, [[reference] for reference in self._references]) for metric in self._metrics]
        rows = zip(self._names, outputs, self._references, strict=True)
        self.samples = [{"source": source, "output": output, "reference": wanted} for source, output, wanted in rows][:NUM_SAMPLES]
        return {score.name: score.value for score in found}


def alone(decoding: Any) -> Any:
    """The decoding section with a quick search of one output, and without what joins or ranks it: other runs, a lexicon."""
    search = Greedy() if decoding.search.needs == "tokens" else decoding.search.quick()
    joined: dict[str, Any] = dict.fromkeys(("ensemble", "fusion", "noisy_channel", "minimum_risk", "shortlist", "unknown_words"))
    return dataclasses.replace(decoding, search=search, **joined)


def is_of_one(metric: Any) -> bool:
    """Whether a metric looks at one output per line, as a greedy search gives."""
    return getattr(metric, "num_candidates", 1) == 1
