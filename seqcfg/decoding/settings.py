"""The recipe's `decoding:` section: how outputs are found, and how long they may become."""

from __future__ import annotations

from typing import Literal

from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Search, Section
from seqcfg.component.types import NonNegativeFloat, NonNegativeInt, PositiveInt
from seqcfg.decoding.beam import Beam


class LengthLimit(Record):
    """The longest output as a multiple of its source, so that short inputs never run on to `max_length`."""

    ratio: NonNegativeFloat = param(default=2.0, doc="Output tokens allowed per source token (dimensionless); 0 leaves only `max_length`.")
    offset: NonNegativeInt = param(default=10, doc="Output tokens allowed on top of the ratio, in tokens.")

    def longest(self, source_length: int, max_length: int) -> int:
        """The number of output tokens, without the end id, that a source of this many tokens may yield."""
        if self.ratio == 0:
            return max_length
        return min(max_length, int(self.ratio * source_length) + self.offset)


class Decoding(Section, type="decoding"):
    """How a trained model turns inputs into outputs."""

    search: Search = param(factory=Beam, doc="The way through the space of outputs.")
    max_length: PositiveInt = param(default=256, doc="The longest output, in tokens without the end id.")
    length_limit: LengthLimit = param(factory=LengthLimit, doc="A limit relative to each source, below `max_length`.")
    max_source_length: PositiveInt = param(default=1024, doc="Longer inputs are cut to this many tokens, with a counted warning.")
    batch_size: PositiveInt = param(default=64, doc="Sentences decoded together; changes speed and memory only.", affects="nothing")
    xla: Literal["auto", "always", "never"] = param(
        default="auto",
        doc="Compile the decode loop: where enough batches of a shape come to pay for it, always, or never.",
        affects="nothing",
    )
