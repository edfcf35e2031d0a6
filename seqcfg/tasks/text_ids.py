"""Texts to padded id arrays, as searches want them."""

from __future__ import annotations

from typing import Any

from seqcfg.component.reserved_ids import END
from seqcfg.lazy import np, tf


def padded_ids(codec: Any, texts: list[str], end: bool = True) -> tuple[Any, Any]:
    """(ids [texts, longest] int32 padded with 0, lengths [texts] int32), with the end id where asked."""
    rows = [ids + [END] if end else ids for ids in codec.encode(texts)]
    lengths = np.array([len(row) for row in rows], np.int32)
    ids = np.zeros([len(rows), max(1, int(lengths.max(initial=0)))], np.int32)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
    return ids, lengths


def padded_ids_in_graph(codec: Any, strings: Any, end: bool = True) -> tuple[Any, Any]:
    """As `padded_ids` for a string tensor [n] inside a graph; `codec` is what `Codec.graph()` gives."""
    rows = tf.cast(codec.encode(strings), tf.int32)
    if end:
        rows = tf.concat([rows, tf.fill([tf.shape(strings)[0], 1], END)], axis=1)
    lengths = tf.cast(rows.row_lengths(), tf.int32)
    return rows.to_tensor(shape=[None, None]), lengths
