"""The recipe's `decoding:` section: how outputs are found, and how long they may become."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from seqcfg.component import catalog
from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Search, Section
from seqcfg.component.reach import leading_out
from seqcfg.component.types import NonNegativeFloat, NonNegativeInt, PositiveInt, Text
from seqcfg.decoding.beam import Beam
from seqcfg.decoding.greedy import Greedy
from seqcfg.decoding.minimum_risk import MinimumRisk
from seqcfg.decoding.mixture import Average
from seqcfg.decoding.noisy_channel import NoisyChannel
from seqcfg.decoding.shortlist import Shortlist
from seqcfg.decoding.unknown_words import UnknownWords
from seqcfg.decoding.word_list import WordList


class LengthLimit(Record):
    """The longest output as a multiple of its source, so that short inputs never run on to `max_length`."""

    ratio: NonNegativeFloat = param(default=2.0, doc="Output tokens allowed per source token (dimensionless); 0 leaves only `max_length`.")
    offset: NonNegativeInt = param(default=10, doc="Output tokens allowed on top of the ratio, in tokens.")

    def longest(self, source_length: int, max_length: int) -> int:
        """The number of output tokens, without the end id, that a source of this many tokens may yield."""
        if self.ratio == 0:
            return max_length
        return min(max_length, int(self.ratio * source_length) + self.offset)


class LengthFloor(Record):
    """The shortest output as a multiple of its source; never above the length limit."""

    ratio: NonNegativeFloat = param(default=0.0, doc="Output tokens demanded per source token (dimensionless).")
    offset: NonNegativeInt = param(default=0, doc="Output tokens demanded on top of the ratio, in tokens.")

    def shortest(self, source_length: int) -> int:
        """The number of output tokens, without the end id, that a source of this many tokens must yield."""
        return int(self.ratio * source_length) + self.offset


class Ensemble(Record):
    """Other runs that write the output together with this one; they must have the same target tokenizer."""

    runs: list[Text] = param(doc="Folders of the other runs.")
    checkpoint: Text = param(default="best", doc="Which checkpoint of each: best, last, average:N or a step number.")
    average: Average = param(default="probabilities", doc="Mean of the models' probabilities, or of their log-probabilities.")

    def strays(self) -> Iterator[tuple[str, str, str]]:
        yield from leading_out(self, "runs", "checkpoint")


class Fusion(Record):
    """A language model that joins in (shallow fusion, arXiv:1503.03535); it must have the target tokenizer."""

    run: Text = param(doc="Folder of a run of a language_modeling task.")
    checkpoint: Text = param(default="best", doc="Which checkpoint: best, last, average:N or a step number.")
    weight: NonNegativeFloat = param(default=0.2, doc="Factor of its log-probabilities (dimensionless).")

    def strays(self) -> Iterator[tuple[str, str, str]]:
        yield from leading_out(self, "run", "checkpoint")


class Decoding(Section, type="decoding"):
    """How a trained model turns inputs into outputs."""

    search: Search = param(factory=Beam, doc="The way through the space of outputs.")
    max_length: PositiveInt = param(default=256, doc="The longest output, in tokens without the end id.")
    length_limit: LengthLimit = param(factory=LengthLimit, doc="A limit relative to each source, below `max_length`.")
    length_floor: LengthFloor = param(factory=LengthFloor, doc="The shortest output relative to each source.")
    distinct_ngrams: PositiveInt | None = param(default=None, doc="No run of this many tokens occurs twice in an output; null allows it.")
    word_list: WordList | None = param(default=None, doc="The words that outputs are made of; null allows any.", is_later=True)
    ensemble: Ensemble | None = param(default=None, doc="Runs that are decoded together with this one.")
    fusion: Fusion | None = param(default=None, doc="A language model that joins in.")
    shortlist: Shortlist | None = param(
        default=None, doc="Outputs are made of tokens that the source makes likely, which is faster; null allows all.", is_later=True
    )
    unknown_words: UnknownWords | None = param(
        default=None, doc="Takes unknown ids of outputs for words of the source; null leaves the tokenizer's sign.", is_later=True
    )
    minimum_risk: MinimumRisk | None = param(default=None, doc="Ranks the search's outputs by their likeness to one another.")
    noisy_channel: NoisyChannel | None = param(default=None, doc="Ranks the search's outputs by a model that translates back.")
    max_source_length: PositiveInt = param(default=1024, doc="Longer inputs are cut to this many tokens, with a counted warning.")
    batch_size: PositiveInt = param(default=64, doc="Sentences decoded together; changes speed and memory only.", affects="nothing")
    xla: Literal["auto", "always", "never"] = param(
        default="auto",
        doc="Compile the decode loop: where enough batches of a shape come to pay for it, always, or never.",
        affects="nothing",
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.minimum_risk and self.noisy_channel:
            yield "noisy_channel", "outputs are ranked once, and minimum_risk does it already", "leave one of them out"
        if self.unknown_words and not getattr(self.search, "allow_unknown", True):
            yield "unknown_words", "no output has an unknown id, because the search bars it", "decoding.search.allow_unknown: true"
        if self.shortlist and not isinstance(self.search, (Beam, Greedy)):
            yield "shortlist", f"a {self.search.type} search looks at the whole vocabulary", "take a beam or greedy search, or no shortlist"
        if self.search.needs != "tokens":
            yield from self._check_beside(self.search)

    def _check_beside(self, search: Search) -> Iterator[tuple[str, str, str]]:
        """What only searches over tokens do."""
        used: dict[str, Any] = {
            "ensemble": self.ensemble,
            "distinct_ngrams": self.distinct_ngrams,
            "word_list": self.word_list,
            "length_floor": self.length_floor != LengthFloor(),
        }
        used["fusion"] = None if search.joins_priors else self.fusion
        for field in (name for name, value in used.items() if value):
            others = [*(_joining(search) if field == "fusion" else []), "a search over tokens, such as beam"]
            yield field, f"a {search.type} search does not do this", f"use {', or '.join(others)}"

    @property
    def needs_lexicon(self) -> bool:
        """Whether a lexicon is read."""
        return bool(self.shortlist or (self.unknown_words and self.unknown_words.take == "lexicon"))

    @property
    def has_partners(self) -> bool:
        """Whether other runs are named."""
        return bool(self.ensemble or self.fusion or self.noisy_channel)


def _joining(search: Search) -> list[str]:
    """The searches over the same that take a language model along; they do so while sound comes, too."""
    there: dict[str, Any] = catalog.load()["search"]
    return [name for name, one in sorted(there.items()) if one.needs == search.needs and one.joins_priors]
