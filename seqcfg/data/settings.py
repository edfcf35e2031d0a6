"""Data: the recipe's section that says which corpora are read and how they are batched."""

from __future__ import annotations

from collections.abc import Iterator

from seqcfg.component.catalog import closest
from seqcfg.component.component import param
from seqcfg.component.kinds import Filter, Section, Source
from seqcfg.component.types import Name, NonNegativeInt
from seqcfg.data.batching import Batching
from seqcfg.data.corpora import CORPORA


class Data(Section, type="data"):
    """Which corpora are read, how many damaged examples are put up with, and how training batches are made."""

    splits: dict[str, Source] = param(doc="The corpora by name: what is trained on, validated on and tested on.")
    training_split: Name = param(
        default="train", doc="The split that is trained on; tokenizers learn from it, and its empty lines are skipped."
    )
    batching: Batching = param(factory=Batching, doc="How the training split is put into batches.", affects="training")
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
        for name in self.corpora:
            if name not in CORPORA:
                yield "corpora", f"there is no corpus called {name!r}", closest(name, CORPORA) or f"one of {', '.join(sorted(CORPORA))}"
