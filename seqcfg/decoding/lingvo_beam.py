"""Lingvo's beam search: other defaults of the same search."""

from __future__ import annotations

from typing import Literal

from seqcfg.component.component import param
from seqcfg.component.types import NonNegativeFloat, PositiveInt
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.length_penalty import Formula


class LingvoBeam(Beam, type="lingvo_beam"):
    """Beam search with the defaults of Lingvo's BeamSearchHelper, so that its models decode as there.

    Lingvo's `beam_size` is `prune_margin`; `length_normalization` is `length_penalty`; `valid_eos_max_logit_delta` is `eos_margin`.
    """

    width: PositiveInt = param(default=8, doc="Hypotheses kept alive per sentence (num_hyps_per_beam).")
    length_penalty: NonNegativeFloat = param(default=0.0, doc="Exponent of the length penalty (length_normalization).")
    formula: Formula = param(default="lingvo", doc="Penalty of a length: average length^a, gnmt ((5+length)/6)^a, lingvo ((5+length)/5)^a.")
    end_among: Literal["beam", "hypothesis"] = param(
        default="hypothesis",
        doc="The end id counts among the `width` best continuations of the sentence, or the `width` + 1 best of its own hypothesis.",
    )
    eos_margin: NonNegativeFloat | None = param(default=5.0, doc="As in `beam` (valid_eos_max_logit_delta).")
    prune_margin: NonNegativeFloat | None = param(default=3.0, doc="As in `beam` (beam_size, which is no number of hypotheses).")
    allow_unknown: bool = param(default=True, doc="Whether the unknown id may be produced.")
