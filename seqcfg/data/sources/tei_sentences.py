"""Sentences of a corpus in TEI, whose words and punctuation marks are elements, written as text."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Iterator
from typing import Any, Literal
from xml.parsers import expat

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import DataPath, Name, Probability
from seqcfg.data.example import Example
from seqcfg.data.root import DataRoot
from seqcfg.errors import UserError

Token = tuple[str, str]  # the element, w or c, and its text
CHUNK = 1 << 16
OPENING, JOINED = {"``": '"', "(": "(", "[": "["}, {"''": '"'}
TWICE = re.compile(r"([!?*;:,-])\1")  # as the Brown corpus has some marks
AROUND = {'""', "()", "[]"}


class TEISentences(Source, type="tei_sentences"):
    """Elements s of words w and marks c (Text Encoding Initiative), such as those of the Brown corpus, each once, as text is written.

    Kept is what begins with a letter or a digit and has as many closing as opening brackets and an even number of quotes; brackets or
    quotes around a whole sentence go, and it begins with a capital. So Lingvo's download_brown_corpus.py, which shuffles all sentences
    where here each one's own text says to which part it belongs, and lets no single quote end.
    """

    path: DataPath = param(doc="The XML file.")
    field: Name = param(default="text", doc="Name of the field that the sentence becomes.")
    part: Literal["train", "validation", "test"] = param(default="train", doc="Which of the sentences; all parts are disjoint.")
    validation_share: Probability = param(default=0.01, doc="Share of the sentences that validate.")
    test_share: Probability = param(default=0.05, doc="Share of the sentences that test.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.validation_share + self.test_share >= 1:
            yield "test_share", "nothing is left to train on", "shares for validation and test that add up to less than 1"

    def paths(self) -> list[str]:
        """The file that is read."""
        return [self.path]

    def field_names(self) -> tuple[str, ...]:
        """The one field of a sentence."""
        return (self.field,)

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """Each sentence of the part once, at its line; raises UserError where the file is no XML or declares a document type."""
        seen: set[bytes] = set()
        for name in root.expand(self.paths()):
            for line, tokens in _sentences(root.resolve(name), name):
                text = tidied(written(tokens))
                digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
                if text and digest not in seen and self._part(digest) == self.part:
                    yield Example({self.field: text}, name, line)
                seen.add(digest)

    def _part(self, digest: bytes) -> str:
        place = int.from_bytes(digest, "little") / 2**64
        if place < self.test_share:
            return "test"
        return "validation" if place < self.test_share + self.validation_share else "train"


def written(tokens: list[Token]) -> str:
    """Words and marks with spaces where text has them: after a word, and before a mark that opens."""
    text, is_apart, is_quoted = "", False, False
    for element, token in tokens:
        is_single = (element, token) == ("c", "'")
        is_opening = element == "c" and token in OPENING or is_single and not is_quoted
        is_quoted ^= is_single
        is_led = element == "w" or is_opening or token in ("-", "--")
        text += (" " if is_apart and is_led else "") + OPENING.get(token, JOINED.get(token, token))
        is_apart = not is_opening
    return text


def tidied(text: str) -> str:
    """The sentence as it is kept, or "" where it is not."""
    text = TWICE.sub(r"\1", text)
    if not set(text) & set(string.ascii_letters) or text.count('"') % 2:
        return ""
    if text.count("(") != text.count(")") or text.count("[") != text.count("]"):
        return ""
    text = text[1:-1] if text[0] + text[-1] in AROUND else text
    return text[:1].upper() + text[1:] if text[:1] in set(string.ascii_letters + string.digits) else ""


def _sentences(file: Any, name: str) -> Iterator[tuple[int, list[Token]]]:
    """(line, tokens) of each sentence, with the memory of a stretch of the file."""
    parser, found, state = expat.ParserCreate(), [], _Sentence()

    def start(element: str, attributes: dict[str, str]) -> None:
        state.element = element
        if element == "s":
            state.line, state.tokens = parser.CurrentLineNumber, []
        elif element in ("w", "c"):
            state.tokens.append((element, ""))

    def text(data: str) -> None:
        if state.element in ("w", "c"):
            state.tokens[-1] = (state.element, state.tokens[-1][1] + data)

    def end(element: str) -> None:
        state.element = ""
        if element == "s":
            found.append((state.line, state.tokens))

    def refuse(*_: Any) -> None:
        hint = "remove the <!DOCTYPE ...> and what it declares"
        raise UserError(f"{name}:{parser.CurrentLineNumber}: declares a document type, which is not read", hint=hint)

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = refuse
    with open(file, "rb") as data:
        is_last = False
        while not is_last:
            chunk = data.read(CHUNK)
            is_last = not chunk
            try:
                parser.Parse(chunk, is_last)
            except expat.ExpatError as error:
                raise UserError(f"{name}:{error.lineno}: no XML: {expat.ErrorString(error.code)}") from error
            yield from found
            found.clear()


class _Sentence:
    """What is read at the moment."""

    element, line = "", 0

    def __init__(self) -> None:
        self.tokens: list[Token] = []
