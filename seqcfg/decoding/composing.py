"""From views of the members to the one stepper that a search sees: mixed, under rules, with coverage where asked."""

from __future__ import annotations

from typing import Any

from seqcfg.decoding.covered import Covered
from seqcfg.decoding.frame_fusion import FusedFrames
from seqcfg.decoding.lattice_fusion import FusedLattice
from seqcfg.decoding.member import Member
from seqcfg.decoding.merging import Spelt
from seqcfg.decoding.mixture import Average, Mixture
from seqcfg.decoding.remembering import Remembering
from seqcfg.decoding.rules import Ruled
from seqcfg.decoding.shortlist import IDS, Shortlisted
from seqcfg.decoding.word_list import OfListedWords


def compose(members: list[Member], settings: Any, views: list[Any], inputs: dict[str, Any] | None = None, needs: str = "") -> Any:
    """The stepper for inputs like these, or what else the search needs; inputs may carry rules (see `Ruled`) and shortlists."""
    inputs, needs = inputs or {}, needs or settings.search.needs
    rules = [name for name in inputs if name.startswith("rule_")]
    first = members[0].task.offered(views[0], needs)
    steppers = [first, *(member.task.stepper(w) for member, w in zip(members[1:], views[1:], strict=True))]
    stepper = steppers[0]
    if needs != "tokens":
        return fused(needs, first, list(zip(steppers[1:], [member.weight for member in members[1:]], strict=True)))
    if len(members) > 1:
        average: Average = settings.ensemble.average if settings.ensemble else "probabilities"
        stepper = Mixture(steppers, [member.role for member in members], [member.weight for member in members], average)
    if IDS in inputs:
        stepper = Shortlisted(stepper, inputs[IDS].shape[1])
    if settings.word_list:
        stepper = OfListedWords(stepper, settings.word_list.trie(members[0].task.target_codec(members[0].codecs)))
    if rules or settings.distinct_ngrams:
        stepper = Ruled(stepper, settings.distinct_ngrams, "rule_phrases" in rules)
    if getattr(settings.search, "coverage_penalty", 0):
        stepper = Covered(stepper, views[0])
    if getattr(settings.search, "merge", "none") != "none":
        stepper = Spelt(stepper, members[0].task.target_codec(members[0].codecs))
    if getattr(settings.search, "needs_hidden", False):
        stepper = Remembering(stepper)
    return stepper


def fused(needs: str, scorer: Any, priors: list[tuple[Any, float]]) -> Any:
    """What a search over frames or a lattice works with: the scorer, joined by priors with their weights where there are any."""
    if not priors:
        return scorer
    kind = FusedFrames if needs == "frames" else FusedLattice
    return kind(scorer, [prior for prior, _ in priors], [weight for _, weight in priors])
