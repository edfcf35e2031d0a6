"""Loss scaling, without which small gradients are lost in float16."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.types import PositiveFloat, PositiveInt
from seqcfg.lazy import tf


class LossScale(Record):
    """The mean loss is multiplied by a scale before its gradient is taken, which is divided by it in float32 (arXiv:1710.03740).

    The scale is halved when a gradient is not finite, and the update left out; it is doubled after `growth_steps`
    updates without that.
    """

    start: PositiveFloat = param(default=2.0**15, doc="The first scale.")
    growth_steps: PositiveInt = param(default=2000, doc="Updates with finite gradients after which the scale is doubled.")

    def numbers(self) -> dict[str, float]:
        """What is kept between updates, and where it starts."""
        return {"scale": self.start, "finite": 0.0}

    def __call__(self, is_finite: Any, numbers: dict[str, Any]) -> dict[str, Any]:
        """The numbers after an update."""
        finite = numbers["finite"] + 1.0
        grows = finite >= float(self.growth_steps)
        grown = tf.where(grows, numbers["scale"] * 2.0, numbers["scale"])
        return {
            "scale": tf.where(is_finite, grown, tf.maximum(numbers["scale"] / 2.0, 1.0)),
            "finite": tf.where(is_finite & ~grows, finite, 0.0),
        }
