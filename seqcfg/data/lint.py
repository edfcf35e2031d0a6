"""Lint: what is suspicious in raw corpora, each with the file and line of the example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from seqcfg.component.reserved_ids import UNKNOWN
from seqcfg.data.example import Example
from seqcfg.data.filters import HashSet, script_of, script_share, text_hash
from seqcfg.data.progress import Progress, silent
from seqcfg.data.root import DataRoot
from seqcfg.data.selection import is_empty
from seqcfg.lazy import np

HIGHEST_RATIO, RATIO_SLACK = 3.0, 5  # words
SCRIPT_SAMPLE, SCRIPT_SHARE = 1000, 0.5  # texts that tell a field's script; least share of its letters
MOJIBAKE = (
    "\u00c3\u00a4",
    "\u00c3\u00b6",
    "\u00c3\u00bc",
    "\u00c3\u00a9",
    "\u00c3\u00a8",
    "\u00c3\u0153",
    "\u00c3\u0178",
    "\u00e2\u20ac",
)  # UTF-8 read as Latin-1
CLIPPED_LEVEL, CLIPPED_SHARE, SILENT_LEVEL = 0.999, 0.001, 1e-4


class Finding(NamedTuple):
    """One suspicious example: where it is, what kind of trouble it is, and what exactly."""

    place: str
    kind: str
    message: str


class Linter:
    """Looks at all splits of a data section; codecs by field tell what a tokenizer does not know."""

    def __init__(self, data: Any, fields: set[str], codecs: dict[str, Any], root: DataRoot):
        self._data, self._fields, self._codecs, self._root = data, fields, codecs, root
        self.counts: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        self._trained, self._held_out = HashSet(), HashSet()

    def findings(self, progress: Progress = silent) -> Iterator[Finding]:
        """All findings: the splits that are trained on first, in the order of their files."""
        trained = self._data.trained_on
        for split in [*trained, *(name for name in self._data.splits if name not in trained)]:
            scripts = self._scripts(split)
            for example in self._data.splits[split].examples(self._root):
                self.read[split] += 1
                if self.read[split] % 1000 == 0:
                    progress(f"split {split}", self.read[split], 0)
                for kind, message in self._of_example(example, split in trained, scripts):
                    self.counts[kind] += 1
                    yield Finding(example.place, kind, message)

    def _of_example(self, example: Example, is_trained_on: bool, scripts: dict[str, str]) -> Iterator[tuple[str, str]]:
        if example.problem:
            yield ("sample rate" if " Hz instead of " in example.problem else "damaged"), example.problem
            return
        fields = {name: value for name, value in example.fields.items() if name in self._fields}
        texts = {name: value for name, value in fields.items() if isinstance(value, str)}
        if empty := [name for name, value in fields.items() if is_empty(value)]:
            yield "empty", f"{empty[0]} is empty"
            return
        yield from self._duplicate(list(texts.values()), is_trained_on)
        yield from _ratio(texts)
        for name, text in texts.items():
            if reason := encoding_trouble(text):
                yield "encoding", f"{name} {reason}"
            if name in scripts and script_share(text, scripts[name]) < SCRIPT_SHARE:
                yield "script", f"{name} is mostly not {scripts[name]}: {text:.40}"
            if codec := self._codecs.get(name):
                ids = codec.encode([text])[0]
                if unknown := ids.count(UNKNOWN):
                    yield "unknown", f"{unknown} of {len(ids)} tokens of {name} are unknown: {text:.40}"
        for name, value in fields.items():
            if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "f":
                yield from _sound(name, value)

    def _duplicate(self, texts: list[str], is_trained_on: bool) -> Iterator[tuple[str, str]]:
        if not texts:
            return
        number = text_hash(texts)
        if is_trained_on:
            if not self._trained.add(number):
                yield "duplicate", f"was seen before: {texts[0]:.40}"
        elif number in self._trained:
            yield "leak", f"is a training example, too: {texts[0]:.40}"
        elif not self._held_out.add(number):
            yield "duplicate", f"was seen before: {texts[0]:.40}"

    def _scripts(self, split: str) -> dict[str, str]:
        """The script of each field of text, told from its first examples."""
        counts: dict[str, Counter[str]] = {}
        for number, example in enumerate(self._data.splits[split].examples(self._root)):
            if number == SCRIPT_SAMPLE:
                break
            for name, text in example.fields.items():
                if name in self._fields and isinstance(text, str):
                    counts.setdefault(name, Counter()).update(_scripts_of(text))
        return {name: found.most_common(1)[0][0] for name, found in counts.items() if found}


def encoding_trouble(text: str) -> str:
    """Why a text looks as if it was decoded in a wrong way, or ""."""
    if "\ufffd" in text:
        return "has a replacement character (U+FFFD)"
    if found := next((pair for pair in MOJIBAKE if pair in text), ""):
        return f"has {found!r}, as if UTF-8 had been read as Latin-1"
    if control := next((letter for letter in text if ord(letter) < 32 and letter not in "\t\n" or 0x7F <= ord(letter) < 0xA0), ""):
        return f"has the control character U+{ord(control):04X}"
    return ""


def _scripts_of(text: str) -> Counter[str]:
    found = Counter(script_of(letter) for letter in text if letter.isalpha())
    return Counter({"CJK" if name in ("HIRAGANA", "KATAKANA") else name: count for name, count in found.items()})


def _ratio(texts: dict[str, str]) -> Iterator[tuple[str, str]]:
    if "source" in texts and "target" in texts:
        a, b = len(texts["source"].split()), len(texts["target"].split())
        if max(a, b) - min(a, b) > RATIO_SLACK and max(a, b) > HIGHEST_RATIO * min(a, b):
            yield "ratio", f"source has {a} words and target {b}"


def _sound(name: str, samples: Any) -> Iterator[tuple[str, str]]:
    level = np.abs(samples)
    if (share := float((level >= CLIPPED_LEVEL).mean())) > CLIPPED_SHARE:
        yield "clipped", f"{share:.1%} of the samples of {name} are at full scale"
    if float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) < SILENT_LEVEL:
        yield "silent", f"{name} is silent"
