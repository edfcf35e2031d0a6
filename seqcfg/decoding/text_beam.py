"""What beam searches over sounds have in common: texts kept alive, and what is added to their scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from seqcfg.component.component import param
from seqcfg.component.types import NonNegativeFloat, PositiveInt
from seqcfg.decoding.loop import Looped


class TextBeam(Looped):
    """The best few texts of a sound, of which a language model may be another judge, and which may be told as sound comes."""

    joins_priors: ClassVar[bool] = True
    streams: ClassVar[bool] = True

    width: PositiveInt = param(default=8, doc="Texts kept alive per sentence.")
    n_best: PositiveInt = param(default=1, doc="Outputs returned per sentence, best first; at most the width.")
    token_bonus: NonNegativeFloat = param(
        default=0.0, doc="Added to the score for each token, in nats; makes up for a language model's part."
    )
    allow_unknown: bool = param(default=False, doc="Whether the unknown id may be produced.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.n_best > self.width:
            yield "n_best", f"{self.n_best} outputs cannot come from a beam of width {self.width}", f"raise width to {self.n_best}"

    @property
    def num_outputs(self) -> int:
        return self.n_best

    @property
    def rows(self) -> int:
        return self.width
