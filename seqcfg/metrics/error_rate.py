"""Error rates of words, characters and phonemes, counted by jiwer."""

from __future__ import annotations

import importlib
import re
import unicodedata
from typing import Any, ClassVar, Literal

from seqcfg.component.component import param
from seqcfg.lazy import np
from seqcfg.metrics.corpus import case_of, single_spaced
from seqcfg.metrics.text_metric import TextMetric


class ErrorRate(TextMetric):
    """100 (substitutions + deletions + insertions) / units of the references, over an alignment with the fewest errors.

    The value can exceed 100. A corpus of empty references alone counts 100 per inserted unit. Of several references the
    one with the lowest rate counts. Statistics of a line: substitutions, deletions, insertions, units that are right.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    def normalized(self, text: str) -> str:
        """The text that is compared; its units stand between spaces."""
        raise TypeError(f"{type(self).__name__} defines no normalized")

    def statistics(self, hypotheses: list[str], references: list[list[str]]) -> Any:
        outputs = [self.normalized(text) for text in hypotheses]
        pairs = [(line, self.normalized(text)) for line, texts in enumerate(references) for text in texts]
        alignments = self.aligned([text for _, text in pairs], [outputs[line] for line, _ in pairs])
        rows: list[Any] = [None] * len(outputs)
        for (line, _), chunks in zip(pairs, alignments, strict=True):
            row = _counted(chunks)
            if rows[line] is None or _rate(row) < _rate(rows[line]):
                rows[line] = row
        return np.array(rows, np.float64)

    def from_statistics(self, sums: Any) -> float:
        return _rate(sums)

    def details(self, sums: Any) -> dict[str, Any]:
        names = ("substitutions", "deletions", "insertions", "right")
        counts = {name: int(value) for name, value in zip(names, sums, strict=True)}
        return counts | {"reference_units": counts["substitutions"] + counts["deletions"] + counts["right"]}

    def units(self, text: str) -> list[str]:
        """What a normalised text is compared by."""
        return text.split()

    def aligned(self, references: list[str], hypotheses: list[str]) -> Any:
        """jiwer's chunks of each pair of normalised texts."""
        jiwer = importlib.import_module("jiwer")
        words = jiwer.Compose([jiwer.ReduceToListOfListOfWords()])
        return jiwer.process_words(references, hypotheses, reference_transform=words, hypothesis_transform=words).alignments


class WrittenErrorRate(ErrorRate):
    """Normalisation of written text: Unicode form C, white space as single spaces; then what the fields say, in their order."""

    lowercase: bool = param(default=True, doc="Whether upper and lower case count as equal.")
    keep_punctuation: bool = param(
        default=False, doc="Whether punctuation counts; if not, it is dropped except apostrophes and hyphens inside of words."
    )

    def normalized(self, text: str) -> str:
        text = unicodedata.normalize("NFC", text)
        text = text.lower() if self.lowercase else text
        return single_spaced(text if self.keep_punctuation else _without_punctuation(text))

    def signature(self, references: list[list[str]]) -> str:
        punctuation = "kept" if self.keep_punctuation else "dropped"
        return f"{case_of(self.lowercase)}|punct:{punctuation}|form:NFC|space:single|jiwer:{_version()}"


class WordErrorRate(WrittenErrorRate, type="wer"):
    """Word error rate in percent of the reference's words, which stand between white space; less is better."""


class CharacterErrorRate(WrittenErrorRate, type="cer"):
    """Character error rate in percent of the reference's characters, single spaces between words included; less is better."""

    keep_spaces: bool = param(default=True, doc="Whether spaces count as characters.")

    def normalized(self, text: str) -> str:
        text = super().normalized(text)
        return text if self.keep_spaces else text.replace(" ", "")

    def signature(self, references: list[list[str]]) -> str:
        return super().signature(references).replace("space:single", "space:single" if self.keep_spaces else "space:dropped")

    def units(self, text: str) -> list[str]:
        return list(text)

    def aligned(self, references: list[str], hypotheses: list[str]) -> Any:
        jiwer = importlib.import_module("jiwer")
        characters = jiwer.Compose([jiwer.ReduceToListOfListOfChars()])
        return jiwer.process_characters(references, hypotheses, reference_transform=characters, hypothesis_transform=characters).alignments


class PhonemeErrorRate(ErrorRate, type="per"):
    """Phoneme error rate in percent of the reference's phonemes, written between white space; less is better.

    Of several pronunciations given as references the nearest counts, as is usual where a word has variants.
    """

    keep_stress: bool = param(default=True, doc="Whether digits at the end of a phoneme (ARPAbet's stress, AH0) count.")
    ignored: list[str] = param(factory=list, doc="Phonemes that are dropped on both sides, such as a mark of silence.")

    def normalized(self, text: str) -> str:
        phonemes = [phoneme if self.keep_stress else phoneme.rstrip("012") or phoneme for phoneme in text.split()]
        return " ".join(phoneme for phoneme in phonemes if phoneme not in self.ignored)

    def signature(self, references: list[list[str]]) -> str:
        ignored = ",".join(sorted(self.ignored)) or "none"
        return f"stress:{'kept' if self.keep_stress else 'dropped'}|ignored:{ignored}|jiwer:{_version()}"


def _counted(chunks: list[Any]) -> tuple[int, int, int, int]:
    """Substitutions, deletions, insertions, right ones of an alignment."""
    sizes = {"substitute": 0, "delete": 0, "insert": 0, "equal": 0}
    for chunk in chunks:
        sizes[chunk.type] += max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
    return sizes["substitute"], sizes["delete"], sizes["insert"], sizes["equal"]


def _rate(counts: Any) -> float:
    substitutions, deletions, insertions, right = counts
    units = substitutions + deletions + right
    return 100.0 * float(substitutions + deletions + insertions) / float(units or 1)


def _without_punctuation(text: str) -> str:
    text = re.sub(r"(?<=\w)['’-](?=\w)", lambda found: "\0" + str("'’-".index(found[0])), text)
    text = "".join(" " if unicodedata.category(sign)[0] == "P" else sign for sign in text)
    return re.sub(r"\0(\d)", lambda found: "'’-"[int(found[1])], text)


def _version() -> str:
    from importlib.metadata import version

    return version("jiwer")
