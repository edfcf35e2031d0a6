"""Normal initial values with a given standard deviation."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import PositiveFloat
from seqcfg.initializers import draw


class Normal(Initializer, type="normal"):
    """Independent normal draws with mean 0."""

    stddev: PositiveFloat = param(default=0.02, doc="Standard deviation.")

    def __call__(self, shape: tuple[int, ...], fans: tuple[int, int], seed: Any) -> Any:
        return draw.normal(shape, seed, self.stddev)


class TruncatedNormal(Initializer, type="truncated_normal"):
    """Normal draws with mean 0 that lie within two standard deviations."""

    stddev: PositiveFloat = param(default=0.02, doc="Standard deviation before truncation; 0.88 of it is left after.")

    def __call__(self, shape: tuple[int, ...], fans: tuple[int, int], seed: Any) -> Any:
        return draw.truncated_normal(shape, seed, self.stddev)
