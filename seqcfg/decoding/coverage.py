"""The coverage term of a score: whether attention reached every source position."""

from __future__ import annotations

import math
from typing import Any

from seqcfg.lazy import tf

LEAST = 0.001  # attention that a position is taken to have got at least
CAPS = {"lingvo": 0.5}  # by formula of the length penalty; 1 elsewhere


def coverage(got: Any, is_real: Any, formula: str) -> Any:
    """sum over real source positions of log min(p, cap): got, is_real [..., source] -> [...].

    p is the attention that a position got from all steps, mean over layers and heads (Wu et al. 2016, arXiv:1609.08144,
    equation 14).
    """
    return tf.reduce_sum(tf.math.log(tf.clip_by_value(got, LEAST, CAPS.get(formula, 1.0))) * tf.cast(is_real, tf.float32), axis=-1)


def most_coverage(is_real: Any, formula: str) -> Any:
    """The largest value that `coverage` can have."""
    return math.log(CAPS.get(formula, 1.0)) * tf.reduce_sum(tf.cast(is_real, tf.float32), axis=-1)
