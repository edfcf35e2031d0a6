"""Bytes as tokens: nothing is unknown and nothing is learnt (Xue et al. 2022, arXiv:2105.13626)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seqcfg.component.kinds import Tokenizer
from seqcfg.component.reserved_ids import NUM_RESERVED
from seqcfg.data.root import DataRoot
from seqcfg.data.tokenizers.codec import Codec, graph_module, ragged_ids
from seqcfg.lazy import tf


class Bytes(Tokenizer, type="byte"):
    """The UTF-8 bytes of a text: 256 values after the 4 reserved ids. Bytes that are not UTF-8 decode to U+FFFD."""

    @property
    def vocab_size(self) -> int:
        return NUM_RESERVED + 256

    def paths(self) -> list[str]:
        """No file is read."""
        return []

    def fit(self, texts: Iterable[str], folder: Path, root: DataRoot) -> None:
        """There is nothing to learn; leaves an empty folder."""
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, folder: Path) -> ByteCodec:
        return ByteCodec(folder)


class ByteCodec(Codec):
    """id = byte + 4."""

    def __init__(self, folder: Path):
        self.folder, self.vocabulary = Path(folder), NUM_RESERVED + 256

    def encode(self, texts: list[str]) -> list[list[int]]:
        return [[byte + NUM_RESERVED for byte in text.encode("utf-8")] for text in texts]

    def decode(self, ids: Iterable[Iterable[int]]) -> list[str]:
        return [bytes(one - NUM_RESERVED for one in row if one >= NUM_RESERVED).decode("utf-8", "replace") for row in ids]

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """Printable ASCII as it is, other bytes as <0xC3>."""
        values = [int(one) - NUM_RESERVED for one in ids]
        return [chr(value) if 32 < value < 127 else f"<0x{value:02X}>" if value >= 0 else "" for value in values]

    def graph(self) -> Any:
        symbols = [b""] * NUM_RESERVED + [bytes([byte]) for byte in range(256)]

        def encode(strings: Any) -> Any:
            pieces = tf.strings.bytes_split(strings)
            values = tf.cast(tf.reshape(tf.io.decode_raw(pieces.flat_values, tf.uint8), [-1]), tf.int32)
            return pieces.with_flat_values(values + NUM_RESERVED)

        def decode(ids: Any, lengths: Any) -> Any:
            texts = tf.strings.reduce_join(tf.gather(tf.constant(symbols), ragged_ids(ids, lengths)), axis=1)
            return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")

        return graph_module(encode, decode)
