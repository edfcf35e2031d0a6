"""Inputs: the data that a run reads, from its recipe and what was prepared."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable
from typing import Any

from seqcfg.data.batches import BatchPlan
from seqcfg.data.loader import Loader, evaluation_batches, make_loader
from seqcfg.data.passing_over import PassingOver
from seqcfg.training.judging import Judge
from seqcfg.training.roll_back import WentBack, jumps, number_in_plan
from seqcfg.training.tensorboard import AttentionPictures


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The data a loop reads.

    loader gives the training batches; steps is where the run ends at the latest; validation yields numpy batches anew
    each time it is called, or is None; judge decodes and scores held-out examples with given weights, or is None; pictures
    draws what the model does with given weights, or is None.
    """

    loader: Any
    codecs: dict[str, Any]
    steps: int
    validation: Callable[[], Iterable[dict[str, Any]]] | None = None
    judge: Any = None
    pictures: Callable[[dict[str, Any]], dict[str, Any]] | None = None


def make_inputs(experiment: Any, prepared: Any, history: list[WentBack]) -> Inputs:
    """What the loop of an experiment reads, in a run that has gone back as `history` tells."""
    recipe, training, features = experiment.recipe, experiment.recipe.training, experiment.recipe.task.features()
    loader = training_loader(experiment, prepared, history)
    steps = last_step(training, loader.plan)
    split = prepared.splits.get(training.validation.split)
    if split is None:
        return Inputs(loader, prepared.codecs, steps)
    return Inputs(
        loader,
        prepared.codecs,
        steps,
        validation=lambda: (batch.arrays for batch in evaluation_batches(split, features, max_tokens=recipe.evaluation.max_tokens)),
        judge=Judge(experiment, prepared.codecs, split) if training.validation.decode else None,
        pictures=_pictures(experiment, split, features) if training.watching.attention else None,
    )


def training_loader(experiment: Any, prepared: Any, history: list[WentBack]) -> Loader:
    """The batches that a run learns from, without those that it passes over."""
    recipe = experiment.recipe
    loader = make_loader(prepared.splits, recipe.data, recipe.task.features(), getattr(recipe.training, "seed", 0))
    if found := jumps(history, recipe.training.accumulate_batches) if history else []:
        loader.plan = PassingOver(loader.plan, functools.partial(number_in_plan, found))
    return loader


def last_step(training: Any, plan: BatchPlan) -> int:
    """Where a run ends at the latest: by its steps, or by its epochs, rounded up."""
    if training.max_epochs is None:
        return training.steps
    return min(training.steps, math.ceil(training.max_epochs * plan.batches_per_epoch / training.accumulate_batches))


def _pictures(experiment: Any, split: Any, features: dict[str, Any]) -> AttentionPictures:
    return AttentionPictures(experiment, next(evaluation_batches(split, features, batch_size=1)).arrays)
