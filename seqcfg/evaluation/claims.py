"""What a recipe claims, held against what a run of it reaches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from seqcfg.evaluation.corpus import columns_of, evaluate
from seqcfg.evaluation.store import write


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One claim and the value that was measured; None when no metric of the recipe measures it."""

    metric: str
    split: str
    claimed: float
    tolerance: float
    measured: float | None
    better: str = "higher"

    @property
    def holds(self) -> bool:
        """Whether the value is reached, but for the tolerance."""
        if self.measured is None:
            return False
        if self.better == "higher":
            return self.measured >= self.claimed - self.tolerance
        return self.measured <= self.claimed + self.tolerance

    def __str__(self) -> str:
        measured = "not measured by evaluation.metrics" if self.measured is None else f"{self.measured:.4g}"
        tolerance = f", tolerance {self.tolerance:g}" if self.tolerance else ""
        return f"{self.metric} on {self.split}: {measured} (claimed {self.claimed:g}{tolerance}): {'holds' if self.holds else 'missed'}"


def check_claims(trained: Any, prepared: Any, progress: Callable[[str, int, int], None]) -> list[Outcome]:
    """Evaluates a trained run (tasks.trained.Trained) on every split that a claim names and stores the results in it."""
    claims = trained.experiment.recipe.claims
    evaluated = {}
    for split in dict.fromkeys(claim.split for claim in claims):
        evaluated[split] = evaluate(trained, columns_of(prepared, split), split, progress)
        write(trained, evaluated[split])
    return [_outcome(claim, trained.experiment.recipe, evaluated[claim.split]) for claim in claims]


def _outcome(claim: Any, recipe: Any, evaluated: Any) -> Outcome:
    scores = {score.name: score for score in reversed(evaluated.scores)}
    types = {metric.type: score for metric, score in zip(reversed(recipe.evaluation.metrics), reversed(evaluated.scores), strict=True)}
    score = scores.get(claim.metric) or types.get(claim.metric)
    if score is None:
        return Outcome(claim.metric, claim.split, claim.value, claim.tolerance, None)
    return Outcome(claim.metric, claim.split, claim.value, claim.tolerance, score.value, score.better)
