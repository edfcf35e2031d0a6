"""Rules that unify text before it is split: the same in Python and in a TensorFlow graph."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Literal

from seqcfg.component.component import Record, param
from seqcfg.lazy import tf, tf_text

PUNCTUATION = r"([!-/:-@\[-`{-~])"  # ASCII alone, so that both regular expression libraries mean the same


class TextRules(Record):
    """What is done to text before it is split, in this order.

    Python and the graph follow the Unicode versions they were built with; they agree on all characters that both know.
    """

    normalization: Literal["none", "nfc", "nfkc"] = param(
        default="none", doc="Unicode normal form (Unicode Standard Annex 15): nfc composes accents, nfkc also unifies compatible letters."
    )
    lowercase: bool = param(default=False, doc="Whether letters are lower-cased, by the full mapping of Unicode.")
    split_punctuation: bool = param(default=False, doc="Whether ASCII punctuation marks are set apart by spaces.")

    def apply(self, text: str) -> str:
        """The unified text."""
        if self.normalization != "none":
            text = unicodedata.normalize(self.normalization.upper(), text)  # type: ignore[arg-type]
        text = text.lower() if self.lowercase else text
        return re.sub(PUNCTUATION, r" \1 ", text) if self.split_punctuation else text

    def apply_in_graph(self, strings: Any) -> Any:
        """As `apply` for a string tensor."""
        if self.normalization != "none":
            strings = tf_text.normalize_utf8(strings, self.normalization.upper())
        strings = tf.strings.lower(strings, encoding="utf-8") if self.lowercase else strings
        return tf.strings.regex_replace(strings, PUNCTUATION, r" \1 ") if self.split_punctuation else strings
