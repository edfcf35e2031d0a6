"""How the log-probability of an output becomes a score that does not favour short outputs."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.lazy import tf

Formula = Literal["average", "gnmt", "lingvo"]


def penalty(formula: str, exponent: float, length: Any) -> Any:
    """What a log-probability is divided by; `length` counts the end id, so it is at least 1. Grows with the length.

    average  length^a                 (a = 1: mean log-probability per token)
    gnmt     ((5 + length) / 6)^a     (Wu et al. 2016, arXiv:1609.08144, equation 14)
    lingvo   ((5 + length) / 5)^a     (Lingvo's beam search, otherwise the same)
    """
    length = tf.cast(length, tf.float32)
    if formula == "average":
        return tf.pow(length, exponent)
    return tf.pow((length + 5.0) / (6.0 if formula == "gnmt" else 5.0), exponent)


def plain_penalty(formula: str, exponent: float, length: int) -> float:
    """As `penalty`, of a number of Python."""
    return {"average": length, "gnmt": (length + 5.0) / 6.0, "lingvo": (length + 5.0) / 5.0}[formula] ** exponent
