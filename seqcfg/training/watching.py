"""The recipe's `training.watching:` what is shown of a run while it goes on, and to whom."""

from __future__ import annotations

from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Tracker
from seqcfg.component.types import NonNegativeInt


class Watching(Record):
    """What event files and trackers are given besides figures."""

    num_samples: NonNegativeInt = param(
        default=8, doc="Decoded examples that are shown at each validation that decodes.", affects="nothing"
    )
    attention: bool = param(default=True, doc="Whether attention to the memory is drawn for one example per validation.", affects="nothing")
    histograms: bool = param(default=False, doc="Whether the distribution of every weight is kept at each validation.", affects="nothing")
    trackers: list[Tracker] = param(factory=list, doc="Services that are told, too, such as {type: mlflow}.", affects="nothing")
