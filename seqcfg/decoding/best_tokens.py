"""The most probable tokens of a large vocabulary without sorting it."""

from __future__ import annotations

from typing import Any

from seqcfg.lazy import tf


def best_tokens(logits: Any, count: int) -> tuple[Any, Any]:
    """The `count` largest logits of each row [rows, vocabulary], descending, and their ids, int32 [rows, count]."""
    values, ids = tf.math.top_k(logits, count)
    return values, ids
