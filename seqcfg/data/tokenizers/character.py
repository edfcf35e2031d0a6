"""Characters as tokens: one id per Unicode code point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Tokenizer
from seqcfg.component.reserved_ids import NUM_RESERVED, UNKNOWN
from seqcfg.component.types import Name, rules
from seqcfg.data.root import DataRoot
from seqcfg.data.tokenizers.codec import Codec, graph_module, ragged_ids
from seqcfg.data.tokenizers.special_tokens import SpecialList, SpecialTokens, check_special
from seqcfg.data.tokenizers.token_list import most_frequent, read_tokens, write_tokens
from seqcfg.lazy import tf

UNKNOWN_TEXT = "\ufffd"


class Characters(Tokenizer, type="character"):
    """The code points of a text; the rarest of the training corpus are unknown, and decode to U+FFFD."""

    vocab_size: Annotated[int, rules(minimum=NUM_RESERVED + 1)] = param(
        doc="Number of ids, 4 reserved ones included; at most the number of different characters and 4."
    )
    fields: list[Name] = param(factory=lambda: ["source", "target"], doc="Raw fields of the training split whose characters are counted.")
    special_tokens: SpecialList = param(
        factory=list, doc="Texts that are one token each wherever they stand and take the first ids, such as <2de>.", is_later=True
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        yield from check_special(self.special_tokens)

    def paths(self) -> list[str]:
        """No file is read."""
        return []

    def fit(self, texts: Iterable[str], folder: Path, root: DataRoot) -> None:
        """Counts characters and writes the most frequent; raises UserError if the corpus has too few."""
        counts, special = Counter[str](), SpecialTokens(self.special_tokens)
        for text in texts:
            counts.update(special.without(text))
        del counts["\n"]
        write_tokens(self.special_tokens + most_frequent(counts, self.vocab_size - len(self.special_tokens), "characters"), folder)

    def load(self, folder: Path) -> CharacterCodec:
        return CharacterCodec(folder, SpecialTokens(self.special_tokens))


class CharacterCodec(Codec):
    """Ids from 4 on, in the order of the file, in which special tokens come first."""

    def __init__(self, folder: Path, special: SpecialTokens):
        self.folder, self.special, self.symbols = Path(folder), special, read_tokens(Path(folder))
        self.vocabulary = NUM_RESERVED + len(self.symbols)
        self.table = {symbol: number for number, symbol in enumerate(special.symbols(self.symbols), NUM_RESERVED)}

    def encode(self, texts: list[str]) -> list[list[int]]:
        return [[self.table.get(symbol, UNKNOWN) for symbol in self.special.mark(text)] for text in texts]

    def decode(self, ids: Iterable[Iterable[int]]) -> list[str]:
        shown = self._shown()
        return ["".join(shown[one] for one in row) for row in ids]

    def original(self, text: str, position: int) -> str:
        """The character itself."""
        return self.special.shown(self.special.mark(text)[position])

    def graph(self) -> Any:
        ranked = sorted((ord(symbol), number) for symbol, number in self.table.items())
        points, numbers = [point for point, _ in ranked], [number for _, number in ranked]

        def encode(strings: Any) -> Any:
            pieces = tf.strings.unicode_decode(self.special.mark_in_graph(strings), "UTF-8")
            flat = pieces.flat_values
            place = tf.minimum(tf.searchsorted(tf.constant(points), flat), len(points) - 1)
            known = tf.gather(tf.constant(points), place) == flat
            return pieces.with_flat_values(tf.where(known, tf.gather(tf.constant(numbers), place), UNKNOWN))

        def decode(ids: Any, lengths: Any) -> Any:
            return tf.strings.reduce_join(tf.gather(tf.constant(self._shown()), ragged_ids(ids, lengths)), axis=1)

        return graph_module(encode, decode)

    def _shown(self) -> list[str]:
        return ["", UNKNOWN_TEXT, "", "", *self.symbols]
