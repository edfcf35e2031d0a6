"""A block of lines that are encoded and sorted together, and the batches that are taken from it."""

from __future__ import annotations

from typing import Any, NamedTuple

from seqcfg.decoding.inputs import batch_of, timed

FINE_TIMES = 48  # lengths are rounded up to multiples of 8 until here, of 32 after: few shapes, few compilations


class Block(NamedTuple):
    """inputs: of each member, {name: array [lines, ...]}; rules: what outputs must keep to; lengths, limits, lines [lines]."""

    inputs: list[dict[str, Any]]
    rules: dict[str, Any]
    lengths: Any
    limits: Any
    lines: Any

    def batch(self, chosen: Any) -> dict[str, Any]:
        """The chosen lines, padded to a rounded length; inputs of member i are called `i.name`, those of the first as they are."""
        batch = {name: value[chosen] for name, value in self.rules.items()}
        for place, inputs in enumerate(self.inputs):
            times = [int(inputs[f"{name}_length"][chosen].max()) for name in timed(inputs)]
            found = batch_of(inputs, chosen, rounded(max(times, default=1)))
            batch |= {name if place == 0 else f"{place}.{name}": value for name, value in found.items()}
        return batch


def rounded(time: int) -> int:
    """A length that many batches share, at least `time`."""
    multiple = 8 if time <= FINE_TIMES else 32
    return max(1, -(-time // multiple)) * multiple
