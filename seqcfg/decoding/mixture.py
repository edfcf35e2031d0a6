"""Several models as one stepper: ensembles, and fusion with a language model."""

from __future__ import annotations

import math
from typing import Any, Literal

from seqcfg.decoding.shortlist import own_alone
from seqcfg.lazy import tf

Average = Literal["probabilities", "log_probabilities"]


class Mixture:
    """Scores log mean of the models' probabilities (or the mean of their log-probabilities), plus weighted ones of the priors.

    Shallow fusion (Gulcehre et al. 2015, arXiv:1503.03535, equation 2) is one prior; its sum is not normalised again, so
    that a search adds log p(y | x) + weight log p(y). Inputs of member i carry the prefix `i.`, those of member 0 none.
    """

    gives_scores = True

    def __init__(self, steppers: list[Any], roles: list[str], weights: list[float], average: Average = "probabilities"):
        self._steppers, self._roles, self._weights, self._average = steppers, roles, weights, average
        self.vocabulary = steppers[0].vocabulary

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]:
        started = [stepper.start(inputs_of(inputs, place), max_length) for place, stepper in enumerate(self._steppers)]
        return {str(place): one[0] for place, one in enumerate(started)}, {str(place): one[1] for place, one in enumerate(started)}

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        steps = [stepper.step(fixed[str(p)], moving[str(p)], tokens, index) for p, stepper in enumerate(self._steppers)]
        return {str(place): step[0] for place, step in enumerate(steps)}, self._mixed([step[1] for step in steps])

    def step_among(self, fixed: Any, moving: Any, tokens: Any, index: Any, ids: Any, own: Any) -> tuple[Any, Any]:
        """As `step`, among these ids [size] and what of them is a sentence's own [sentences, size]; probabilities are those among them."""
        every = enumerate(self._steppers)
        steps = [stepper.step_among(fixed[str(p)], moving[str(p)], tokens, index, ids, own) for p, stepper in every]
        mixed = own_alone(self._mixed([step[1] for step in steps]), own)  # a weight of 0 times -inf is no number
        return {str(place): step[0] for place, step in enumerate(steps)}, mixed

    def logits(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        return self._mixed([stepper.logits(inputs_of(inputs, p), ids, lengths) for p, stepper in enumerate(self._steppers)])

    def _mixed(self, logits: list[Any]) -> Any:
        scores = [
            one if getattr(stepper, "gives_scores", False) else tf.nn.log_softmax(one)
            for one, stepper in zip(logits, self._steppers, strict=True)
        ]
        models = [score for score, role in zip(scores, self._roles, strict=True) if role == "model"]
        priors = [(w, score) for score, role, w in zip(scores, self._roles, self._weights, strict=True) if role == "prior"]
        if self._average == "probabilities" and len(models) > 1:
            mixed = tf.reduce_logsumexp(tf.stack(models), axis=0) - math.log(len(models))
        else:
            mixed = tf.add_n(models) / len(models)
        return mixed + tf.add_n([weight * score for weight, score in priors]) if priors else mixed


def inputs_of(inputs: dict[str, Any], place: int) -> dict[str, Any]:
    """The inputs of one member, without their prefix."""
    if place == 0:
        return {name: value for name, value in inputs.items() if not name[0].isdigit()}
    return {name.removeprefix(f"{place}."): value for name, value in inputs.items() if name.startswith(f"{place}.")}
