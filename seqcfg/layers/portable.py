"""Graphs for converters: layers then use operations that other engines have, too, and give the same results."""

from __future__ import annotations

import contextvars
from typing import Any

from seqcfg.lazy import tf

PORTABLE = contextvars.ContextVar("PORTABLE", default=False)  # set while a graph for converters is traced


def exact_dtype() -> Any:
    """The type in which logarithms of long sums are kept: float64, which other engines do not compute in, and float32 for them."""
    return tf.float32 if PORTABLE.get() else tf.float64
