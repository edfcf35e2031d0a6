"""Words as tokens: text is split at spaces and looked up in a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Tokenizer
from seqcfg.component.reserved_ids import NUM_RESERVED, UNKNOWN
from seqcfg.component.types import DataPath, Name, rules
from seqcfg.data.lines import read_lines
from seqcfg.data.root import DataRoot
from seqcfg.data.tokenizers.codec import Codec, graph_module, ragged_ids
from seqcfg.data.tokenizers.token_list import most_frequent, read_tokens, write_tokens
from seqcfg.errors import UserError
from seqcfg.lazy import tf

UNKNOWN_TEXT = "<unk>"


class Vocabulary(Tokenizer, type="vocabulary"):
    """White-space separated words (ASCII white space), from a file or the most frequent ones of the training split."""

    vocab_size: Annotated[int, rules(minimum=NUM_RESERVED + 1)] = param(doc="Number of ids: the words and 4 reserved ones.")
    file: DataPath | None = param(default=None, doc="List of words, one a line without the reserved ones; left out, words are counted.")
    fields: list[Name] = param(factory=lambda: ["source", "target"], doc="Raw fields of the training split whose words are counted.")

    def paths(self) -> list[str]:
        """The file that is read, as the recipe names it."""
        return [self.file] if self.file else []

    def fit(self, texts: Iterable[str], folder: Path, root: DataRoot) -> None:
        """Writes the list of words; raises UserError if it does not come to vocab_size."""
        if self.file:
            write_tokens(list(self._listed(self.file, root)), folder)
            return
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(words_of(text))
        write_tokens(most_frequent(counts, self.vocab_size, "words"), folder)

    def load(self, folder: Path) -> WordCodec:
        return WordCodec(folder)

    def _listed(self, file: str, root: DataRoot) -> Iterator[str]:
        seen: dict[str, int] = {}
        for line in read_lines(root.resolve(file), file):
            if line.problem or words_of(line.text) != [line.text]:
                raise UserError(f"{file}:{line.number}: {line.problem or 'not exactly one word'}", hint="one word a line, without spaces")
            if line.text in seen:
                raise UserError(
                    f"{file}:{line.number}: {line.text!r} is listed in line {seen[line.text]} already", hint="list each word once"
                )
            seen[line.text] = line.number
        if len(seen) + NUM_RESERVED != self.vocab_size:
            raise UserError(
                f"{file} has {len(seen)} words, and {NUM_RESERVED} ids are reserved, but vocab_size is {self.vocab_size}",
                hint=f"vocab_size: {len(seen) + NUM_RESERVED}",
            )
        yield from seen


def words_of(text: str) -> list[str]:
    """The words of a text: split at ASCII white space only, as TensorFlow splits."""
    return [word.decode("utf-8") for word in text.encode("utf-8").split()]


class WordCodec(Codec):
    """Ids from 4 on, in the order of the file."""

    def __init__(self, folder: Path):
        self.folder, self.words = Path(folder), read_tokens(Path(folder))
        self.vocabulary = NUM_RESERVED + len(self.words)
        self.table = {word: number for number, word in enumerate(self.words, NUM_RESERVED)}

    def encode(self, texts: list[str]) -> list[list[int]]:
        return [[self.table.get(word, UNKNOWN) for word in words_of(text)] for text in texts]

    def decode(self, ids: Iterable[Iterable[int]]) -> list[str]:
        shown = self._shown()
        return [" ".join(shown[one] for one in row if one == UNKNOWN or one >= NUM_RESERVED) for row in ids]

    def spellings(self) -> list[bytes]:
        return [f" {word}".encode() if word else b"" for word in self._shown()]

    def graph(self) -> Any:
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(self.words), tf.constant(list(self.table.values()), tf.int32)), UNKNOWN
        )

        def encode(strings: Any) -> Any:
            pieces = tf.strings.split(strings)
            return pieces.with_flat_values(table.lookup(pieces.flat_values))

        def decode(ids: Any, lengths: Any) -> Any:
            ids = ragged_ids(ids, lengths)
            ids = tf.ragged.boolean_mask(ids, (ids == UNKNOWN) | (ids >= NUM_RESERVED))
            return tf.strings.reduce_join(tf.gather(tf.constant(self._shown()), ids), axis=1, separator=" ")

        return graph_module(encode, decode, table=table)

    def _shown(self) -> list[str]:
        return ["", UNKNOWN_TEXT, "", "", *self.words]
