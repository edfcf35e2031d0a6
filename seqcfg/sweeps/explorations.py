"""In which order settings are tried: all of a grid, at random, or led by what was reached so far."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import json
import math
from typing import Any, ClassVar, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Exploration
from seqcfg.component.types import NonNegativeInt, PositiveInt
from seqcfg.errors import UserError
from seqcfg.sweeps.space import Range, Space, Values, draw, values_of


@dataclasses.dataclass(frozen=True)
class Seen:
    """An earlier trial: its values, the mean of its runs' figures (None while none is done), whether it was given up early."""

    values: Values
    score: float | None
    is_pruned: bool = False


class Grid(Exploration, type="grid"):
    """Every combination of the values; of a range, num_values of it."""

    looks_back: ClassVar[bool] = False

    def count(self, space: Space) -> int:
        """How many trials there are."""
        return math.prod(len(values_of(choice)) for choice in space.values())

    def propose(self, space: Space, index: int, seen: list[Seen], higher: bool) -> Values:
        """The combination number `index`, the last path changing fastest."""
        combinations = itertools.product(*(values_of(choice) for choice in space.values()))
        return dict(zip(space, next(itertools.islice(combinations, index, None)), strict=True))


class RandomDraws(Exploration, type="random"):
    """Independent draws (Bergstra and Bengio 2012): with few values that matter, better than a grid of equal cost."""

    looks_back: ClassVar[bool] = False

    num_trials: PositiveInt = param(default=20, doc="How many settings are drawn.")
    seed: NonNegativeInt = param(default=1, doc="Fixes the draws.")

    def count(self, space: Space) -> int:
        return self.num_trials

    def propose(self, space: Space, index: int, seen: list[Seen], higher: bool) -> Values:
        return {path: draw(choice, self.seed, index, path) for path, choice in space.items()}


class OptunaSampler(Exploration, type="optuna"):
    """A sampler of Optuna (Akiba et al. 2019, arXiv:1907.10902) over what was reached so far; needs the package optuna.

    No study is stored: each proposal is made from the results in the sweep's folder, so that nothing can get lost.
    """

    looks_back: ClassVar[bool] = True

    num_trials: PositiveInt = param(default=20, doc="How many settings are tried.")
    sampler: Literal["tpe", "gp", "qmc", "random"] = param(default="tpe", doc="Which of Optuna's samplers; tpe suits most spaces.")
    seed: NonNegativeInt = param(default=1, doc="Fixes the sampler's draws.")

    def count(self, space: Space) -> int:
        return self.num_trials

    def propose(self, space: Space, index: int, seen: list[Seen], higher: bool) -> Values:
        """What the sampler asks for; trials that are not done stay out of its sight."""
        optuna = load_optuna()
        distributions = {path: _distribution(optuna, choice) for path, choice in space.items()}
        study = optuna.create_study(direction="maximize" if higher else "minimize", sampler=self._sampler(optuna, index))
        for one in seen:
            if one.score is not None and math.isfinite(one.score) and one.values.keys() == space.keys():
                study.add_trial(_told(optuna, one, space, distributions))
        asked = study.ask(distributions).params
        return {path: asked[path] if isinstance(choice, Range) else json.loads(asked[path]) for path, choice in space.items()}

    def _sampler(self, optuna: Any, index: int) -> Any:
        seed = self.seed * 1_000_003 + index  # another draw for each trial, the same when it is asked for again
        names = {"tpe": "TPESampler", "gp": "GPSampler", "qmc": "QMCSampler", "random": "RandomSampler"}
        return getattr(optuna.samplers, names[self.sampler])(seed=seed)


def load_optuna() -> Any:
    """The package optuna; raises UserError where it is not installed."""
    try:
        optuna = importlib.import_module("optuna")
    except ImportError:
        raise UserError("this sweep needs the package optuna, which is not installed", hint="pip install 'seqcfg[sweep]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _distribution(optuna: Any, choice: Any) -> Any:
    kinds = optuna.distributions
    if not isinstance(choice, Range):
        return kinds.CategoricalDistribution([json.dumps(value) for value in choice])
    if choice.is_whole:
        return kinds.IntDistribution(int(choice.low), int(choice.high), log=choice.scale == "log")
    return kinds.FloatDistribution(choice.low, choice.high, log=choice.scale == "log")


def _told(optuna: Any, one: Seen, space: Space, distributions: dict[str, Any]) -> Any:
    shown = {path: value if isinstance(space[path], Range) else json.dumps(value) for path, value in one.values.items()}
    state = optuna.trial.TrialState.PRUNED if one.is_pruned else optuna.trial.TrialState.COMPLETE
    result = {"intermediate_values": {0: one.score}} if one.is_pruned else {"value": one.score}
    return optuna.trial.create_trial(params=shown, distributions=distributions, state=state, **result)
