"""Uniform initial values with a given limit."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import PositiveFloat
from seqcfg.initializers import draw


class Uniform(Initializer, type="uniform"):
    """Independent uniform draws from [-limit, limit)."""

    limit: PositiveFloat = param(default=0.05, doc="Largest absolute value.")

    def __call__(self, shape: tuple[int, ...], fans: tuple[int, int], seed: Any) -> Any:
        return draw.uniform(shape, seed, self.limit)
