"""Where two runs part: the first step whose loss or gradient differs in a bit, and the weights that differ by then."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from seqcfg.lazy import np
from seqcfg.runs.trace import MEASURED, read_steps, read_weights, unknown


@dataclasses.dataclass(frozen=True)
class Divergence:
    """What a comparison of two traces found.

    compared       updates of which both runs say what they gave; 0 when nothing can be told
    step           the first of them that differs, counted from 1; 0 when all agree
    measured       what differs in it: the loss, or the gradients' norm where the loss still agrees
    values         that measurement in both runs
    equal_after    the last step before which, and after which, all weights agreed; -1 when none was noted
    differ_after   the first step after which weights differed; -1 when none did
    weights        those that differed then, in the model's order
    num_weights    how many weights were noted at that step
    """

    compared: int
    step: int = 0
    measured: str = ""
    values: tuple[float, float] = (0.0, 0.0)
    equal_after: int = -1
    differ_after: int = -1
    weights: tuple[str, ...] = ()
    num_weights: int = 0

    @property
    def is_identical(self) -> bool:
        """Whether something was compared, and no bit differed."""
        return self.compared > 0 and self.step == 0 and self.differ_after < 0

    def lines(self) -> list[str]:
        """What to tell a reader of runs that differ."""
        told = []
        if self.step:
            then, now = self.values
            told.append(f"first at step {self.step} of {self.compared}: {self.measured} {then:.9g} then, {now:.9g} now")
        if self.differ_after >= 0:
            before = f"all agree after step {self.equal_after}; " if self.equal_after >= 0 else ""
            more = f" and {len(self.weights) - 1} more of {self.num_weights}" if len(self.weights) > 1 else f" alone of {self.num_weights}"
            told.append(f"weights: {before}after step {self.differ_after} {self.weights[0]}{more} differ")
        return told


def divergence(before: Path, now: Path, steps: int) -> Divergence:
    """Holds the first `steps` updates of the run in folder `now` against those of `before`."""
    one, other = read_steps(before), read_steps(now)
    count = min(len(one), len(other), steps)
    one, other = one[:count], other[:count]
    known = ~(unknown(one) | unknown(other))
    found = Divergence(int(known.sum()), **_weights(read_weights(before), read_weights(now), steps))
    differing = np.flatnonzero((one != other).any(axis=1) & known)
    if not len(differing):
        return found
    row = int(differing[0])
    column = 0 if one[row, 0] != other[row, 0] else 1
    values = float(one[row, column].view(np.float32)), float(other[row, column].view(np.float32))
    return dataclasses.replace(found, step=row + 1, measured=MEASURED[column], values=values)


def _weights(before: dict[int, dict[str, str]], now: dict[int, dict[str, str]], steps: int) -> dict[str, Any]:
    """The part of a Divergence that is about weights."""
    equal = -1
    for step in sorted(step for step in before.keys() & now.keys() if step <= steps):
        one, other = before[step], now[step]
        differing = tuple(path for path in [*one, *(path for path in other if path not in one)] if one.get(path) != other.get(path))
        if differing:
            return {"equal_after": equal, "differ_after": step, "weights": differing, "num_weights": len(one)}
        equal = step
    return {"equal_after": equal}
