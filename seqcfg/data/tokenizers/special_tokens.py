"""Special tokens of tokenizers that cut text into small units: words such as <2de> that are one token wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from seqcfg.component.types import rules
from seqcfg.lazy import tf

MAX_SPECIAL = 64
FIRST_MARK = 0xF0000  # of a private use plane; each special token becomes one of these code points while text is cut
MARKS = f"[{chr(FIRST_MARK)}-{chr(FIRST_MARK + MAX_SPECIAL - 1)}]"

SpecialList = Annotated[list[str], rules("64 at most", maxItems=MAX_SPECIAL)]


class SpecialTokens:
    """Puts a mark, one code point, in the place of each special token; longer ones first. Marks that a text has are dropped."""

    def __init__(self, tokens: list[str]):
        self.tokens = list(tokens)
        self.marks = [chr(FIRST_MARK + number) for number in range(len(tokens))]
        self._pairs = sorted(zip(self.tokens, self.marks, strict=True), key=lambda pair: (-len(pair[0]), pair[0]))

    def __bool__(self) -> bool:
        return bool(self.tokens)

    def mark(self, text: str) -> str:
        """The text with marks."""
        if self.tokens:
            text = re.sub(MARKS, "", text)
            for token, mark in self._pairs:
                text = text.replace(token, mark)
        return text

    def shown(self, symbol: str) -> str:
        """The token that a mark stands for, and any other symbol as it is."""
        return self.tokens[self.marks.index(symbol)] if symbol in self.marks else symbol

    def symbols(self, tokens: list[str]) -> list[str]:
        """What text with marks holds for each of a codec's tokens, the first of which are the special ones."""
        return [*self.marks, *tokens[len(self.marks) :]]

    def without(self, text: str) -> str:
        """The text without any special token: what is counted."""
        return re.sub(MARKS, "", self.mark(text)) if self.tokens else text

    def mark_in_graph(self, strings: Any) -> Any:
        """As `mark` for a string tensor."""
        if self.tokens:
            strings = tf.strings.regex_replace(strings, MARKS, "")
            for token, mark in self._pairs:
                strings = tf.strings.regex_replace(strings, re2_quoted(token), mark)
        return strings


def re2_quoted(text: str) -> str:
    """A pattern of RE2 that matches the text itself."""
    return "".join(f"\\x{{{ord(one):x}}}" for one in text)


def check_special(tokens: list[str]) -> Iterator[tuple[str, str, str]]:
    """The rules of a tokenizer's `special_tokens`."""
    if len(set(tokens)) < len(tokens):
        yield "special_tokens", "a token stands there twice", "list each once"
    for token in tokens:
        if not token or "\n" in token or re.search(MARKS, token):
            yield "special_tokens", f"{token!r} cannot be a token", "write a word such as <2de>"
