"""Initial values scaled by the last axis: usual for embeddings, whose rows then have length 1 on average."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import PositiveFloat
from seqcfg.initializers import draw


class SqrtDimNormal(Initializer, type="sqrt_dim_normal"):
    """Normal draws with standard deviation scale / sqrt(size of the last axis)."""

    scale: PositiveFloat = param(default=1.0, doc="Standard deviation times sqrt(width).")

    def __call__(self, shape: tuple[int, ...], fans: tuple[int, int], seed: Any) -> Any:
        return draw.normal(shape, seed, self.scale / math.sqrt(shape[-1]))


class SqrtDimUniform(Initializer, type="sqrt_dim_uniform"):
    """Uniform draws from +-scale / sqrt(size of the last axis)."""

    scale: PositiveFloat = param(default=1.0, doc="Limit times sqrt(width).")

    def __call__(self, shape: tuple[int, ...], fans: tuple[int, int], seed: Any) -> Any:
        return draw.uniform(shape, seed, self.scale / math.sqrt(shape[-1]))
