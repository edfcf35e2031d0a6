"""Graphemes as tokens: what a reader takes for one character, accents, joined emoji and flags included."""

from __future__ import annotations

import re
import unicodedata
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
from seqcfg.data.tokenizers.text_rules import TextRules
from seqcfg.data.tokenizers.token_list import most_frequent, read_tokens, write_tokens
from seqcfg.errors import UserError
from seqcfg.lazy import tf

UNKNOWN_TEXT = "\ufffd"
MARKS_FILE = "marks.txt"
SEPARATOR = "\x01"  # set between clusters in the graph; a text that holds it loses it there and here
FLAG, JOINER = "\U0001f1e6-\U0001f1ff", "\u200d"
EXTENDERS = "\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"  # variation selectors, skin tones, tags


class Graphemes(Tokenizer, type="grapheme"):
    """Clusters of code points; the rarest of the training corpus are unknown, and decode to U+FFFD.

    A cluster is two flag letters, or any code point with the marks, variation selectors and skin tones behind it, and
    whatever a zero-width joiner ties to it: Unicode Standard Annex 29 but for Hangul letters that are not composed (use
    nfc) and prepended marks. The list of marks is kept with the tokenizer, so that later versions of Unicode change no id.
    """

    vocab_size: Annotated[int, rules(minimum=NUM_RESERVED + 1)] = param(doc="Number of ids, 4 reserved ones included.")
    fields: list[Name] = param(factory=lambda: ["source", "target"], doc="Raw fields of the training split whose clusters are counted.")
    rules: TextRules = param(default=TextRules(normalization="nfc"), doc="What is done to text before it is cut.")
    special_tokens: SpecialList = param(
        factory=list, doc="Texts that are one token each wherever they stand and take the first ids, such as <2de>.", is_later=True
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        yield from check_special(self.special_tokens)

    def paths(self) -> list[str]:
        """No file is read."""
        return []

    def fit(self, texts: Iterable[str], folder: Path, root: DataRoot) -> None:
        """Counts clusters and writes the most frequent; raises UserError if the corpus has too few."""
        marks, counts, special = _marks(), Counter[str](), SpecialTokens(self.special_tokens)
        cluster = re.compile(pattern(marks), re.DOTALL)
        for text in texts:
            counts.update(cluster.findall(self.rules.apply(special.without(text.replace(SEPARATOR, "")))))
        counts = Counter({one: n for one, n in counts.items() if "\n" not in one})
        write_tokens(self.special_tokens + most_frequent(counts, self.vocab_size - len(self.special_tokens), "graphemes"), folder)
        (folder / MARKS_FILE).write_text(marks, "utf-8")

    def load(self, folder: Path) -> GraphemeCodec:
        return GraphemeCodec(folder, self.rules, SpecialTokens(self.special_tokens))


class GraphemeCodec(Codec):
    """Ids from 4 on, in the order of the file, in which special tokens come first."""

    def __init__(self, folder: Path, rules: TextRules, special: SpecialTokens):
        self.special = special
        self.folder, self.rules, self.symbols = Path(folder), rules, read_tokens(Path(folder))
        if not (self.folder / MARKS_FILE).is_file():
            raise UserError(f"{self.folder / MARKS_FILE}: the tokenizer's file is missing", hint="prepare the data again")
        self.pattern = pattern((self.folder / MARKS_FILE).read_text("utf-8"))
        self.vocabulary = NUM_RESERVED + len(self.symbols)
        self.table = {symbol: number for number, symbol in enumerate(special.symbols(self.symbols), NUM_RESERVED)}

    def encode(self, texts: list[str]) -> list[list[int]]:
        return [[self.table.get(one, UNKNOWN) for one in self._clusters(text)] for text in texts]

    def original(self, text: str, position: int) -> str:
        """The cluster itself, after the rules."""
        return self.special.shown(self._clusters(text)[position])

    def _clusters(self, text: str) -> list[str]:
        return re.compile(self.pattern, re.DOTALL).findall(self.rules.apply(self.special.mark(text.replace(SEPARATOR, ""))))

    def decode(self, ids: Iterable[Iterable[int]]) -> list[str]:
        shown = self._shown()
        return ["".join(shown[one] for one in row) for row in ids]

    def graph(self) -> Any:
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(list(self.table)), tf.constant(list(self.table.values()), tf.int32)), UNKNOWN
        )

        def encode(strings: Any) -> Any:
            strings = self.rules.apply_in_graph(self.special.mark_in_graph(tf.strings.regex_replace(strings, SEPARATOR, "")))
            marked = tf.strings.regex_replace(strings, f"(?s)({self.pattern})", rf"\1{SEPARATOR}")
            pieces = tf.strings.split(marked, SEPARATOR)
            pieces = tf.ragged.boolean_mask(pieces, pieces != "")
            return pieces.with_flat_values(table.lookup(pieces.flat_values))

        def decode(ids: Any, lengths: Any) -> Any:
            return tf.strings.reduce_join(tf.gather(tf.constant(self._shown()), ragged_ids(ids, lengths)), axis=1)

        return graph_module(encode, decode, table=table)

    def _shown(self) -> list[str]:
        return ["", UNKNOWN_TEXT, "", "", *self.symbols]


def pattern(marks: str) -> str:
    """A regular expression that matches one cluster, in the part of the language that Python and RE2 share."""
    behind = f"[{marks}{EXTENDERS}]*"
    return f"(?:[{FLAG}][{FLAG}]|.{behind}(?:{JOINER}[^{marks}{EXTENDERS}{JOINER}]{behind})*{JOINER}?)"


def _marks() -> str:
    """The marks of this Python's Unicode, as ranges of a character class."""
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in _ranges())


def _ranges() -> Iterator[tuple[int, int]]:
    first = -1
    for point in range(0x300, 0xE01F0):
        is_mark = unicodedata.category(chr(point)).startswith("M")
        if is_mark and first < 0:
            first = point
        if not is_mark and first >= 0:
            yield first, point - 1
            first = -1
    yield 0xE0100, 0xE01EF  # variation selectors that finish the last range
