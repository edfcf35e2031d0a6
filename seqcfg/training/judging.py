"""Judging decoded text while training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.greedy import Greedy


def judge(experiment: Any, codecs: dict[str, Any], columns: Any) -> Callable[[dict[str, Any]], dict[str, float]]:
    """A function of {path: variable} that decodes a split greedily and gives the recipe's metrics of text by name.

    The variables must be the same objects each time: the search is traced once, over the first ones.
    """
    recipe = experiment.recipe
    task, count = recipe.task, recipe.training.validation.num_decoded
    sources, references = task.sources(columns)[:count], task.references(columns)[:count]
    settings = dataclasses.replace(recipe.decoding, search=Greedy())
    metrics = [metric for metric in recipe.evaluation.metrics if metric.needs == "strings"]
    decoders: list[Decoder] = []

    def scores(weights: dict[str, Any]) -> dict[str, float]:
        if not decoders:
            decoders.append(Decoder(task, experiment.declaration, weights, codecs, settings, recipe.training.precision))
        hypotheses = [one.text for one in decoders[0].decode(sources)]
        found = [metric.compute(hypotheses, [[reference] for reference in references]) for metric in metrics]
        return {score.name: score.value for score in found}

    return scores
