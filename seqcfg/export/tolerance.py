"""Tolerance: how far an exported model may be from its run."""

from __future__ import annotations

from typing import Annotated, Literal

from seqcfg.component.component import Record, param
from seqcfg.component.types import NonNegativeFloat, rules

Share = Annotated[float, rules("a share of 1, such as 0.995", minimum=0, maximum=1)]


class Tolerance(Record):
    """What is compared on the sample lines, and what happens to a model that is farther off."""

    identical_share: Share = param(default=1.0, doc="Least share of lines on which the model gives the very string of the run.")
    score_difference: NonNegativeFloat = param(
        default=0.001, doc="Most by which the score of such a line may differ, in the search's unit (nats per token, mostly)."
    )
    metric_loss: NonNegativeFloat = param(
        default=0.1, doc="Most by which the recipe's first metric of texts may become worse on the sample, in its own unit."
    )
    beyond: Literal["refuse", "warn"] = param(
        default="refuse", doc="Whether a model beyond these bounds is thrown away or kept with a warning."
    )
