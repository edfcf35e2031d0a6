"""Initial values scaled by the number of inputs of a unit."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import PositiveFloat
from seqcfg.initializers import draw


class FanInNormal(Initializer, type="fan_in_normal"):
    """Normal draws with standard deviation scale / sqrt(fan in); scale sqrt(2) is He et al. 2015 (arXiv:1502.01852, section 2.2)."""

    scale: PositiveFloat = param(default=1.0, doc="Standard deviation times sqrt(fan in).")

    def __call__(self, shape: tuple[int, ...], fans: tuple[int, int], seed: Any) -> Any:
        return draw.normal(shape, seed, self.scale / math.sqrt(fans[0]))


class FanInTruncatedNormal(Initializer, type="fan_in_truncated_normal"):
    """Normal draws with standard deviation scale / sqrt(fan in) that lie within two of them."""

    scale: PositiveFloat = param(default=1.0, doc="Standard deviation before truncation times sqrt(fan in).")

    def __call__(self, shape: tuple[int, ...], fans: tuple[int, int], seed: Any) -> Any:
        return draw.truncated_normal(shape, seed, self.scale / math.sqrt(fans[0]))


class FanInUniform(Initializer, type="fan_in_uniform"):
    """Uniform draws from +-scale / sqrt(fan in); scale sqrt(3) keeps the variance, sqrt(6) is He et al. 2015 (arXiv:1502.01852)."""

    scale: PositiveFloat = param(default=1.0, doc="Limit times sqrt(fan in).")

    def __call__(self, shape: tuple[int, ...], fans: tuple[int, int], seed: Any) -> Any:
        return draw.uniform(shape, seed, self.scale / math.sqrt(fans[0]))
