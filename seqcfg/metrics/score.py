"""Score: what a metric returns."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """One figure for a whole corpus.

    value      in the metric's own unit, as its docstring states
    signature  everything that must be equal before two values may be compared
    better     whether a higher or a lower value is good
    details    figures behind the value
    interval   {"low", "high", "confidence", "samples", "seed"} of a bootstrap over lines; empty where there is none
    """

    name: str
    value: float
    signature: str = ""
    better: Literal["higher", "lower"] = "higher"
    details: dict[str, Any] = dataclasses.field(default_factory=dict)
    interval: dict[str, float] = dataclasses.field(default_factory=dict)
