"""Characters that the recipe lists, so that their ids depend on no corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from seqcfg.component.catalog import listed
from seqcfg.component.component import param
from seqcfg.component.kinds import Tokenizer
from seqcfg.component.reserved_ids import NUM_RESERVED, UNKNOWN
from seqcfg.component.types import Text
from seqcfg.data.root import DataRoot
from seqcfg.data.tokenizers.character import CharacterCodec
from seqcfg.data.tokenizers.special_tokens import SpecialTokens
from seqcfg.data.tokenizers.text_rules import TextRules
from seqcfg.data.tokenizers.token_list import write_tokens


class CharacterTable(Tokenizer, type="character_table"):
    """The code points of a text by a table: ids from 4 on in the order that is written; others are unknown, and decode to U+FFFD.

    `markers` have the ids behind the characters. No text is encoded to them; where a model writes one, it decodes to its name.
    """

    characters: Text = param(doc="The characters, in the order of their ids.")
    markers: list[Text] = param(factory=list, doc="Further ids, such as <noise>.")
    rules: TextRules = param(default=TextRules(), doc="What is done to text before it is cut.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        seen = Counter([*self.characters, *self.markers])
        for field, own in (("characters", self.characters), ("markers", self.markers)):
            if twice := [repr(one) for one in dict.fromkeys(own) if seen[one] > 1]:
                yield field, f"more than one id for {listed(twice)}", "write each once"
        if not self.characters:
            yield "characters", "there is none", "write them one behind the other"
        if any("\n" in one for one in seen):
            yield "characters", "a line break ends a text and is no part of it", "leave it out"

    @property
    def vocab_size(self) -> int:
        return NUM_RESERVED + len(self.characters) + len(self.markers)

    def paths(self) -> list[str]:
        """No file is read."""
        return []

    def fit(self, texts: Iterable[str], folder: Path, root: DataRoot) -> None:
        """Writes the table; reads no text."""
        write_tokens([*self.characters, *self.markers], folder)

    def load(self, folder: Path) -> CharacterTableCodec:
        return CharacterTableCodec(folder, self.rules)


class CharacterTableCodec(CharacterCodec):
    """Ids from 4 on, in the order of the file."""

    def __init__(self, folder: Path, rules: TextRules):
        super().__init__(folder, SpecialTokens([]))
        self.rules = rules
        self.table = {symbol: number for symbol, number in self.table.items() if len(symbol) == 1}

    def encode(self, texts: list[str]) -> list[list[int]]:
        return [[self.table.get(symbol, UNKNOWN) for symbol in self.rules.apply(text)] for text in texts]

    def graph(self) -> Any:
        module = super().graph()
        encode = module.encode
        module.encode = lambda strings: encode(self.rules.apply_in_graph(strings))
        return module
