"""Two texts compared word by word, or character by character where there are no words, as marked-up HTML."""

from __future__ import annotations

import importlib
from html import escape


def marked(reference: str, hypothesis: str) -> tuple[str, str]:
    """HTML of both texts: what only the reference has in <del>, what only the hypothesis has in <ins>.

    The pairing needs the fewest edits (Levenshtein). Words stand between white space; where both texts are one word
    each, characters are compared.
    """
    words = reference.split(), hypothesis.split()
    if len(words[0]) <= 1 and len(words[1]) <= 1:
        return _marked(list(reference), list(hypothesis), "")
    return _marked(*words, " ")


def _marked(reference: list[str], hypothesis: list[str], space: str) -> tuple[str, str]:
    left: list[str] = []
    right: list[str] = []
    opcodes = importlib.import_module("rapidfuzz.distance").Levenshtein.opcodes(reference, hypothesis)
    for kind, start, end, other_start, other_end in opcodes:
        gone, new = (escape(space.join(part)) for part in (reference[start:end], hypothesis[other_start:other_end]))
        if gone:
            left.append(gone if kind == "equal" else f"<del>{gone}</del>")
        if new:
            right.append(new if kind == "equal" else f"<ins>{new}</ins>")
    return space.join(left).replace(f"</del>{space}<del>", space), space.join(right).replace(f"</ins>{space}<ins>", space)
