"""Bytes as tokens: nothing is unknown and nothing is learnt (Xue et al. 2022, arXiv:2105.13626)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Tokenizer
from seqcfg.component.reserved_ids import NUM_RESERVED
from seqcfg.data.root import DataRoot
from seqcfg.data.tokenizers.codec import Codec, graph_module, ragged_ids
from seqcfg.data.tokenizers.special_tokens import FIRST_MARK, SpecialList, SpecialTokens, check_special
from seqcfg.lazy import tf

FIRST_SPECIAL = NUM_RESERVED + 256


class Bytes(Tokenizer, type="byte"):
    """The UTF-8 bytes of a text: 256 values after the 4 reserved ids. Bytes that are not UTF-8 decode to U+FFFD."""

    special_tokens: SpecialList = param(
        factory=list,
        doc="Texts that are one token each wherever they stand and take the ids after the bytes, such as <2de>.",
        is_later=True,
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        yield from check_special(self.special_tokens)

    @property
    def vocab_size(self) -> int:
        return FIRST_SPECIAL + len(self.special_tokens)

    def paths(self) -> list[str]:
        """No file is read."""
        return []

    def fit(self, texts: Iterable[str], folder: Path, root: DataRoot) -> None:
        """There is nothing to learn; leaves an empty folder."""
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, folder: Path) -> ByteCodec:
        return ByteCodec(folder, SpecialTokens(self.special_tokens))


class ByteCodec(Codec):
    """id = byte + 4; special tokens follow."""

    def __init__(self, folder: Path, special: SpecialTokens):
        self.folder, self.special, self.vocabulary = Path(folder), special, FIRST_SPECIAL + len(special.tokens)
        self._symbols = [b""] * NUM_RESERVED + [bytes([byte]) for byte in range(256)] + [token.encode() for token in special.tokens]

    def encode(self, texts: list[str]) -> list[list[int]]:
        if not self.special:
            return [[byte + NUM_RESERVED for byte in text.encode("utf-8")] for text in texts]
        return [[one for symbol in self.special.mark(text) for one in self._ids(symbol)] for text in texts]

    def _ids(self, symbol: str) -> list[int]:
        """Of one code point."""
        if symbol in self.special.marks:
            return [FIRST_SPECIAL + self.special.marks.index(symbol)]
        return [byte + NUM_RESERVED for byte in symbol.encode("utf-8")]

    def decode(self, ids: Iterable[Iterable[int]]) -> list[str]:
        return [b"".join(self._symbols[one] for one in row).decode("utf-8", "replace") for row in ids]

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """Printable ASCII and special tokens as they are, other bytes as <0xC3>."""
        return [self._token(int(one)) for one in ids]

    def _token(self, number: int) -> str:
        value = number - NUM_RESERVED
        if number >= FIRST_SPECIAL:
            return self.special.tokens[number - FIRST_SPECIAL]
        return chr(value) if 32 < value < 127 else f"<0x{value:02X}>" if value >= 0 else ""

    def spellings(self) -> list[bytes]:
        return list(self._symbols)

    def graph(self) -> Any:
        def encode(strings: Any) -> Any:
            pieces = tf.strings.bytes_split(self.special.mark_in_graph(strings))
            values = tf.cast(tf.reshape(tf.io.decode_raw(pieces.flat_values, tf.uint8), [-1]), tf.int32)
            return _joined(pieces, values) if self.special else pieces.with_flat_values(values + NUM_RESERVED)

        def decode(ids: Any, lengths: Any) -> Any:
            texts = tf.strings.reduce_join(tf.gather(tf.constant(self._symbols), ragged_ids(ids, lengths)), axis=1)
            return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")

        return graph_module(encode, decode)


def _joined(pieces: Any, values: Any) -> Any:
    """Ids of bytes, in which the four bytes of a mark have become one: the first three tell it, the last which token it is."""
    lead = tf.constant(list(chr(FIRST_MARK).encode()[:3]))
    padded = tf.pad(values, [[0, 3]])
    count = tf.size(values)
    is_mark = tf.reduce_all(tf.stack([padded[place : place + count] == lead[place] for place in range(3)]), 0)
    token = FIRST_SPECIAL + padded[3 : 3 + count] - 0x80
    is_rest = tf.reduce_any(tf.stack([tf.pad(is_mark, [[place, 0]])[:count] for place in (1, 2, 3)]), 0)
    ids = pieces.with_flat_values(tf.where(is_mark, token, values + NUM_RESERVED))
    return tf.ragged.boolean_mask(ids, pieces.with_flat_values(~is_rest))
