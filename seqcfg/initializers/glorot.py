"""Initial values that balance the variance of outputs and gradients."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import PositiveFloat
from seqcfg.initializers import draw


class GlorotUniform(Initializer, type="glorot_uniform"):
    """Uniform draws from +-gain sqrt(6 / (fan in + fan out)) (Glorot & Bengio 2010, equation 16), also known as Xavier."""

    gain: PositiveFloat = param(default=1.0, doc="Factor on the limit.")

    def __call__(self, shape: tuple[int, ...], fans: tuple[int, int], seed: Any) -> Any:
        return draw.uniform(shape, seed, self.gain * math.sqrt(6.0 / sum(fans)))


class GlorotNormal(Initializer, type="glorot_normal"):
    """Normal draws with standard deviation gain sqrt(2 / (fan in + fan out)) (Glorot & Bengio 2010, equation 12)."""

    gain: PositiveFloat = param(default=1.0, doc="Factor on the standard deviation.")

    def __call__(self, shape: tuple[int, ...], fans: tuple[int, int], seed: Any) -> Any:
        return draw.normal(shape, seed, self.gain * math.sqrt(2.0 / sum(fans)))
