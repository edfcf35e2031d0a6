"""What an unquoted word means: the core schema of YAML 1.2, where `1e-4` is a number and `no` is a text."""

from __future__ import annotations

import math
import re
from typing import Any

NULL = {"", "~", "null", "Null", "NULL"}
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INTEGER = re.compile(r"[-+]?[0-9]+")
OCTAL = re.compile(r"0o[0-7]+")
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
LARGEST = 2**63 - 1


def resolve(word: str) -> Any:
    """None, a bool, an int, a float or the word itself; raises ValueError for numbers no field can hold."""
    if word in NULL:
        return None
    if word in BOOLEANS:
        return BOOLEANS[word]
    if INTEGER.fullmatch(word):
        return _bounded(word, 10)
    if OCTAL.fullmatch(word):
        return _bounded(word[2:], 8)
    if HEXADECIMAL.fullmatch(word):
        return _bounded(word[2:], 16)
    if SPECIAL.fullmatch(word):
        raise ValueError(f"{word} is not a number that a recipe can hold")
    if FLOAT.fullmatch(word):
        number = float(word) if len(word) <= 400 else math.inf
        if math.isinf(number):
            raise ValueError(f"{_short(word)} is too large for a number")
        return number
    return word


def _bounded(digits: str, radix: int) -> int:
    number = int(digits, radix) if len(digits) <= 64 else LARGEST + 1
    if abs(number) > LARGEST:
        raise ValueError(f"{_short(digits)} is too large for a whole number; the largest is {LARGEST}")
    return number


def _short(word: str) -> str:
    return word if len(word) <= 24 else f"{word[:20]}... ({len(word)} characters)"
