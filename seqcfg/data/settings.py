"""Data: the recipe's section that says which corpora are read and how they are batched."""

from __future__ import annotations

from collections.abc import Iterator

from seqcfg.component.catalog import closest
from seqcfg.component.component import param
from seqcfg.component.kinds import Augmentation, Filter, Section, Source
from seqcfg.component.types import Name, NonNegativeInt
from seqcfg.data.batching import Batching
from seqcfg.data.corpora import CORPORA
from seqcfg.data.mixing import Mixing, Phase


class Data(Section, type="data"):
    """Which corpora are read, how many damaged examples are put up with, and how training batches are made."""

    splits: dict[str, Source] = param(doc="The corpora by name: what is trained on, validated on and tested on.")
    training_split: Name = param(
        default="train", doc="The split that is trained on; tokenizers learn from it, and its empty lines are skipped."
    )
    batching: Batching = param(factory=Batching, doc="How the training split is put into batches.", affects="training")
    mixing: Mixing | None = param(default=None, doc="Several splits to train on together; null trains on training_split.", is_later=True)
    curriculum: list[Phase] = param(
        factory=list, doc="Phases at the beginning of training, one after the other.", affects="training", is_later=True
    )
    augmentation: dict[Name, list[Augmentation]] = param(
        factory=dict, doc="Feature of the task -> what changes it in each training batch, in this order.", affects="training", is_later=True
    )
    corpora: list[Name] = param(
        factory=list, doc="Public corpora that `seqcfg prepare --download` fetches into the data root.", affects="nothing"
    )
    filters: list[Filter] = param(
        factory=list, doc="What decides, in this order, whether an example is trained on; other splits keep all.", is_later=True
    )
    max_bad_examples: NonNegativeInt = param(
        default=0,
        doc="Most damaged examples (invalid UTF-8, a broken record, an absurdly long line) skipped in one split before it is an error.",
        affects="nothing",
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.training_split not in self.splits:
            known = ", ".join(self.splits) or "nothing"
            yield (
                "splits",
                f"the split to train on, {self.training_split!r}, is missing; there is {known}",
                "add it, or name another training_split",
            )
        yield from self._check_mixing()
        for name, changes in self.augmentation.items():
            if odd := [one.type for one in changes if self.batching.packing and not one.keeps_lengths]:
                yield f"augmentation.{name}", f"{odd[0]} changes lengths, which packed rows do not allow", "leave it or packing out"
        for name in self.corpora:
            if name not in CORPORA:
                yield "corpora", f"there is no corpus called {name!r}", closest(name, CORPORA) or f"one of {', '.join(sorted(CORPORA))}"

    @property
    def trained_on(self) -> list[str]:
        """The splits that are trained on."""
        return self.mixing.names if self.mixing else [self.training_split]

    def _check_mixing(self) -> Iterator[tuple[str, str, str]]:
        for name in self.trained_on if self.mixing else []:
            if name not in self.splits:
                yield "mixing", f"there is no split {name!r} to train on", closest(name, self.splits) or f"one of {', '.join(self.splits)}"
        before = 0
        for number, phase in enumerate(self.curriculum):
            if phase.until_batch <= before:
                yield f"curriculum.{number}.until_batch", f"{phase.until_batch} is not after {before}", "list phases in order of time"
            before = phase.until_batch
            if unknown := [name for name in phase.weights if name not in self.trained_on]:
                yield f"curriculum.{number}.weights", f"{unknown[0]!r} is not mixed", f"mixing has {', '.join(self.trained_on)}"
