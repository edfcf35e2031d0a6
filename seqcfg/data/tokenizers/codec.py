"""Codec: a tokenizer that has been trained or loaded: text to ids and back, in Python and inside a TensorFlow graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from seqcfg.component.reserved_ids import END, PAD, START
from seqcfg.lazy import tf


class Codec:
    """Text to ids and back; ids 0 to 3 are padding, unknown, start and end, and never stand for text.

    vocabulary  number of ids, the four reserved ones included
    folder      where the files lie that it was loaded from; copying the folder copies the codec
    num_variants  how many segmentations of each training text become examples
    """

    vocabulary: int
    folder: Path
    num_variants: int = 1

    def encode(self, texts: list[str]) -> list[list[int]]:
        """The ids of each text, without start and end."""
        raise TypeError(f"{type(self).__name__} defines no encode")

    def variant(self, text: str, number: int, variant: int) -> list[int]:
        """The ids of one of `num_variants` segmentations of training example `number`; a function of its arguments."""
        return self.encode([text])[0]

    def decode(self, ids: Iterable[Iterable[int]]) -> list[str]:
        """The text of each list of ids; padding, start and end are passed over."""
        raise TypeError(f"{type(self).__name__} defines no decode")

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """What each id stands for, for looking at; not every one is text by itself."""
        return self.decode([[one] for one in ids])

    def original(self, text: str, position: int) -> str:
        """The word of a text to which its token at this position belongs, as it is written there."""
        words = text.split()
        number = len(self.decode([self.encode([text])[0][: position + 1]])[0].split())
        return words[min(max(number, 1), len(words)) - 1]

    def spellings(self) -> list[bytes]:
        """What each id adds to a text, the same for every cut of it into tokens; nothing for padding, start and end."""
        tokens = self.tokens(range(self.vocabulary))
        return [b"" if one in (PAD, START, END) else token.encode("utf-8") for one, token in enumerate(tokens)]

    def graph(self) -> Any:
        """A tf.Module for exported graphs, with the same ids as in Python; make it outside of a tf.function.

        `encode(strings [n]) -> RaggedTensor int32 [n, (time)]` and `decode(ids [n, time] int, lengths [n] int) -> strings [n]`.
        """
        raise TypeError(f"{type(self).__name__} defines no graph")


def graph_module(encode: Callable[[Any], Any], decode: Callable[[Any, Any], Any], **resources: Any) -> Any:
    """Wraps two functions, and the resources that they use, so that a SavedModel keeps track of them."""
    module = tf.Module(name="codec")
    for name, resource in resources.items():
        setattr(module, name, resource)
    module.encode, module.decode = encode, decode
    return module


def ragged_ids(ids: Any, lengths: Any) -> Any:
    """[n, time] ids and [n] lengths as an int32 RaggedTensor."""
    return tf.RaggedTensor.from_tensor(tf.cast(ids, tf.int32), lengths=tf.cast(lengths, tf.int64))


def fields_of(fields: list[str], records: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The texts that a tokenizer learns from: the named fields of each record, in turn."""
    for record in records:
        for field in fields:
            if isinstance(text := record.get(field), str) and text:
                yield text
