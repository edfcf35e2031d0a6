"""Unknown words: what a model could not write is taken from the source, or from a lexicon."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from seqcfg.component.component import Record, param
from seqcfg.component.reach import leading_out
from seqcfg.component.reserved_ids import UNKNOWN
from seqcfg.component.types import Text
from seqcfg.decoding.alignment import Aligner
from seqcfg.decoding.lexicon import Lexicon


class UnknownWords(Record):
    """An unknown id of an output becomes the word of the source that attention was at (Luong et al. 2015, arXiv:1410.8206)."""

    take: Literal["source", "lexicon"] = param(
        default="source", doc="The word of the source, or the lexicon's best translation of its token where there is one."
    )
    lexicon: Text | None = param(default=None, doc="File that `seqcfg lexicon` wrote; null takes lexicon.npz in the run's folder.")

    def strays(self) -> Iterator[tuple[str, str, str]]:
        yield from leading_out(self, "lexicon")


class Replacer:
    """Puts words in place of unknown ids; ids and scores stay what they are."""

    def __init__(self, settings: UnknownWords, aligner: Aligner, source_codec: Any, target_codec: Any, lexicon: Lexicon | None):
        self._aligner, self._source, self._target = aligner, source_codec, target_codec
        self._lexicon = lexicon if settings.take == "lexicon" else None
        self._sign = target_codec.decode([[UNKNOWN]])[0]

    def __call__(self, sources: list[str], outputs: list[list[str]], ids: list[list[list[int]]]) -> list[list[str]]:
        """The outputs of each source, with the ids that they were made of, in words."""
        chosen = [(line, place) for line, rows in enumerate(ids) for place, row in enumerate(rows) if UNKNOWN in row]
        if not chosen:
            return outputs
        links = self._aligner.links([sources[line] for line, _ in chosen], [[ids[line][place]] for line, place in chosen])
        outputs = [list(texts) for texts in outputs]
        for (line, place), (of_output,) in zip(chosen, links, strict=True):
            row, source_of = ids[line][place], {target: source for source, target in of_output}
            words, before = [], (-2, "")
            for position, one in enumerate(row):
                if one == UNKNOWN:
                    word = self._word(sources[line], source_of[position])
                    words.append("" if before == (position - 1, word) else word)  # one word of the source may have been several ids
                    before = (position, word)
            outputs[line][place] = filled(outputs[line][place], self._sign, words)
        return outputs

    def _word(self, source: str, position: int) -> str:
        if self._lexicon is not None:
            ids = self._source.encode([source])[0]
            best = int(self._lexicon.translations[ids[position], 0]) if ids[position] != UNKNOWN else 0
            if best:
                return self._target.decode([[best]])[0].strip()
        return self._source.original(source, position)


def filled(text: str, sign: str, words: list[str]) -> str:
    """The text with words in place of a sign that occurs once for each; as it is where it occurs otherwise, too.

    A sign that a tokenizer writes between spaces of its own leaves one on either side.
    """
    core = sign.strip()
    parts = text.split(core)
    if not core or len(parts) != len(words) + 1:
        return text
    is_spaced = core != sign
    found = parts[0]
    for word, part in zip(words, parts[1:], strict=True):
        if is_spaced or not word:
            found = " ".join(piece for piece in (found.rstrip(" "), word, part.lstrip(" ")) if piece)
        else:
            found += word + part
    return found
