"""WordPiece: words cut into the longest pieces that a list knows (Schuster and Nakajima 2012; Wu et al. 2016, arXiv:1609.08144)."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Tokenizer
from seqcfg.component.reserved_ids import NUM_RESERVED, UNKNOWN
from seqcfg.component.types import DataPath, Name, rules
from seqcfg.data.lines import read_lines
from seqcfg.data.root import DataRoot
from seqcfg.data.tokenizers.codec import Codec, graph_module, ragged_ids
from seqcfg.data.tokenizers.merges import learn_pieces
from seqcfg.data.tokenizers.text_rules import TextRules
from seqcfg.data.tokenizers.token_list import read_tokens, write_tokens
from seqcfg.data.tokenizers.vocabulary import UNKNOWN_TEXT, words_of
from seqcfg.errors import UserError
from seqcfg.lazy import tf, tf_text

INSIDE = "##"  # begins a piece that continues a word
MAX_WORD_BYTES = 100  # longer words are unknown, as in BERT
RESERVED_SLOTS = [" pad", " unknown", " start", " end"]  # names with a space can be no piece of a word


class WordPiece(Tokenizer, type="word_piece"):
    """Words between ASCII white space, each cut from the left into the longest known pieces; a word that cannot be is unknown.

    Pieces are learnt by merging the most frequent neighbours (Sennrich et al. 2016, arXiv:1508.07909), or read from a file
    in the format of BERT's vocab.txt without its entries in square brackets.
    """

    vocab_size: Annotated[int, rules(minimum=NUM_RESERVED + 1)] = param(doc="Number of ids: the pieces and 4 reserved ones.")
    file: DataPath | None = param(default=None, doc="List of pieces, one a line; left out, they are learnt.")
    fields: list[Name] = param(factory=lambda: ["source", "target"], doc="Raw fields of the training split that pieces are learnt from.")
    rules: TextRules = param(default=TextRules(split_punctuation=True), doc="What is done to text before it is cut.")
    special_tokens: list[str] = param(factory=list, doc="Words that are one piece each and take the first ids, such as <2de>.")

    def paths(self) -> list[str]:
        """The file that is read, as the recipe names it."""
        return [self.file] if self.file else []

    def fit(self, texts: Iterable[str], folder: Path, root: DataRoot) -> None:
        """Writes the list of pieces; raises UserError if it does not come to vocab_size."""
        if self.file:
            pieces = [line.text for line in read_lines(root.resolve(self.file), self.file) if not _is_reserved(line.text)]
            pieces = [*self.special_tokens, *(piece for piece in pieces if piece not in self.special_tokens)]
        else:
            words: Counter[str] = Counter()
            for text in texts:
                words.update(word for word in split_words(text, self.rules, self.special_tokens) if word not in self.special_tokens)
            pieces = self.special_tokens + learn_pieces(words, self.vocab_size - NUM_RESERVED - len(self.special_tokens), INSIDE)
        if len(pieces) + NUM_RESERVED != self.vocab_size:
            size = len(pieces) + NUM_RESERVED
            raise UserError(
                f"{self.file or 'the corpus'} gives {size} ids, but vocab_size is {self.vocab_size}", hint=f"vocab_size: {size}"
            )
        write_tokens(pieces, folder)

    def load(self, folder: Path) -> WordPieceCodec:
        return WordPieceCodec(folder, self.rules, self.special_tokens)


class WordPieceCodec(Codec):
    """Ids from 4 on, in the order of the file."""

    def __init__(self, folder: Path, rules: TextRules, special: list[str]):
        self.folder, self.rules, self.special = Path(folder), rules, special
        self.pieces = read_tokens(Path(folder))
        self.vocabulary = NUM_RESERVED + len(self.pieces)
        self.table = {piece: number for number, piece in enumerate(self.pieces, NUM_RESERVED)}
        self._longest = max(map(len, self.pieces), default=1)
        self._cut = functools.lru_cache(1 << 17)(self._cut_word)

    def encode(self, texts: list[str]) -> list[list[int]]:
        return [[one for word in split_words(text, self.rules, self.special) for one in self._cut(word)] for text in texts]

    def decode(self, ids: Iterable[Iterable[int]]) -> list[str]:
        shown = self._shown()
        rows = [[shown[one] for one in row if one == UNKNOWN or one >= NUM_RESERVED] for row in ids]
        return [" ".join(row).replace(f" {INSIDE}", "") for row in rows]

    def spellings(self) -> list[bytes]:
        return [(one.removeprefix(INSIDE) if one.startswith(INSIDE) else f" {one}").encode() if one else b"" for one in self._shown()]

    def graph(self) -> Any:
        cutter = tf_text.FastWordpieceTokenizer(
            vocab=RESERVED_SLOTS + self.pieces, suffix_indicator=INSIDE, max_bytes_per_word=MAX_WORD_BYTES, token_out_type=tf.int32,
            unknown_token=RESERVED_SLOTS[UNKNOWN], no_pretokenization=True,
        )  # fmt: skip

        def encode(strings: Any) -> Any:
            words = tf.strings.split(strings)
            if self.special:  # they are exempt from the rules
                is_special = tf.reduce_any(words.flat_values[:, None] == tf.constant(self.special), axis=1)
                changed = tf.where(is_special, words.flat_values, self.rules.apply_in_graph(words.flat_values))
                words = tf.strings.split(tf.strings.reduce_join(words.with_flat_values(changed), axis=1, separator=" "))
            else:
                words = tf.strings.split(self.rules.apply_in_graph(strings))
            return cutter.tokenize(words).merge_dims(1, 2)

        def decode(ids: Any, lengths: Any) -> Any:
            ids = ragged_ids(ids, lengths)
            ids = tf.ragged.boolean_mask(ids, (ids == UNKNOWN) | (ids >= NUM_RESERVED))
            texts = tf.strings.reduce_join(tf.gather(tf.constant(self._shown()), ids), axis=1, separator=" ")
            return tf.strings.regex_replace(texts, f" {INSIDE}", "")

        return graph_module(encode, decode, tokenizer=cutter)

    def _cut_word(self, word: str) -> tuple[int, ...]:
        if len(word.encode("utf-8")) > MAX_WORD_BYTES:
            return (UNKNOWN,)
        found, start = [], 0
        while start < len(word):
            prefix = INSIDE if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                if (number := self.table.get(prefix + word[start:end])) is not None:
                    found.append(number)
                    start = end
                    break
            else:
                return (UNKNOWN,)
        return tuple(found)

    def _shown(self) -> list[str]:
        return ["", UNKNOWN_TEXT, "", "", *self.pieces]


def split_words(text: str, rules: TextRules, special: list[str]) -> list[str]:
    """The words of a text after the rules, from which special ones are exempt."""
    if not special:
        return words_of(rules.apply(text))
    parts = [[word] if word in special else words_of(rules.apply(word)) for word in words_of(text)]
    return [word for part in parts for word in part]


def _is_reserved(piece: str) -> bool:
    return not piece or (piece.startswith("[") and piece.endswith("]") and len(piece) > 2)
