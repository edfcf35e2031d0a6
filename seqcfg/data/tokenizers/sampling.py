"""Sampled segmentations: other ways to cut a text into the pieces that a tokenizer has learnt.

Unigram models: a segmentation is drawn with probability proportional to p(segmentation)^alpha, by filtering forward and
sampling backward over all ways to cut a word (Kudo 2018, arXiv:1804.10959, section 3; no n-best list). Byte pair models:
each merge is skipped with probability alpha (BPE-dropout, Provilkov et al. 2020, arXiv:1910.13267).
"""

from __future__ import annotations

import functools
import hashlib
import math
import random
from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.reserved_ids import UNKNOWN
from seqcfg.component.types import Fraction, PositiveInt

BLANK = "\u2581"  # what SentencePiece writes for a space, at the beginning of a word
UNKNOWN_PENALTY = 10.0  # log-probability of an unknown character below that of the rarest piece, as in SentencePiece


class Sampling(Record):
    """Several segmentations of each training text; they become examples of their own, so that an epoch is so many passes."""

    num_variants: PositiveInt = param(default=8, doc="Segmentations per text and epoch.")
    alpha: Fraction = param(
        default=0.1, doc="Unigram: exponent of a segmentation's probability, the smaller the wilder. Byte pairs: share of merges skipped."
    )
    seed: int = param(default=0, doc="Chooses the segmentations, together with the example's number.")


class Sampler:
    """Draws segmentations for one SentencePiece model; a draw depends on (seed, number, variant) and the text alone."""

    def __init__(self, processor: Any, algorithm: str, special: list[str], settings: Sampling):
        self._processor, self._special, self._settings = processor, special, settings
        size = processor.get_piece_size()
        usable = [i for i in range(size) if not (processor.is_control(i) or processor.is_unknown(i) or processor.is_byte(i))]
        self._scores = {processor.id_to_piece(i): (processor.get_score(i), i) for i in usable}
        self._bytes = [processor.piece_to_id(f"<0x{byte:02X}>") for byte in range(256)]
        self._has_bytes = processor.is_byte(self._bytes[0])
        self._longest = max(map(len, self._scores), default=1)
        self._least = min((score for score, _ in self._scores.values()), default=0.0) - UNKNOWN_PENALTY
        self._lattice = functools.lru_cache(1 << 16)(self._make_lattice)
        self._cut = self._cut_merging if algorithm == "bpe" else self._cut_unigram

    def encode(self, text: str, number: int, variant: int) -> list[int]:
        """The ids of one variant of a text."""
        key = hashlib.blake2b(f"{self._settings.seed} {number} {variant}".encode(), digest_size=8).digest()
        draw = random.Random(int.from_bytes(key, "little"))
        ids: list[int] = []
        for part in self._parts(self._processor.normalize(text)):
            ids += [self._scores[part][1]] if part in self._special else self._cut(part, draw)
        return ids

    def _parts(self, text: str) -> list[str]:
        """Words with the blank before them, and special pieces by themselves; no piece reaches over these bounds."""
        if not text:
            return []
        text = text.replace(" ", BLANK)
        for piece in self._special:
            text = text.replace(piece, f"\0{piece}\0")
        return [word for part in text.split("\0") for word in ([part] if part in self._special else _words(part))]

    def _make_lattice(self, word: str) -> list[tuple[list[int], list[int], list[float]]]:
        """For each end 1 .. n: starts of the pieces that end there, their ids (UNKNOWN for a lone character), and weights."""
        forward, ends = [0.0], []
        for end in range(1, len(word) + 1):
            starts, ids, logs = [], [], []
            for start in range(max(0, end - self._longest), end):
                score, number = self._scores.get(word[start:end], (self._least, UNKNOWN))
                if number != UNKNOWN or start == end - 1:
                    starts.append(start)
                    ids.append(number)
                    logs.append(forward[start] + self._settings.alpha * score)
            top = max(logs)
            weights = [math.exp(one - top) for one in logs]
            forward.append(top + math.log(sum(weights)))
            ends.append((starts, ids, weights))
        return ends

    def _cut_unigram(self, word: str, draw: random.Random) -> list[int]:
        ends, end, found = self._lattice(word), len(word), []
        while end:
            starts, ids, weights = ends[end - 1]
            choice = draw.choices(range(len(starts)), weights)[0] if len(starts) > 1 else 0
            found.append(self._spelt(word[starts[choice] : end]) if ids[choice] == UNKNOWN else [ids[choice]])
            end = starts[choice]
        return [number for piece in reversed(found) for number in piece]

    def _cut_merging(self, word: str, draw: random.Random) -> list[int]:
        pieces = list(word)
        while True:
            ways = []
            for place in range(len(pieces) - 1):
                if (found := self._scores.get(pieces[place] + pieces[place + 1])) and draw.random() >= self._settings.alpha:
                    ways.append((-found[0], place))
            if not ways:
                return [number for piece in pieces for number in self._spelt(piece)]
            place = min(ways)[1]
            pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]

    def _spelt(self, piece: str) -> list[int]:
        if piece in self._scores:
            return [self._scores[piece][1]]
        return [self._bytes[byte] for byte in piece.encode("utf-8")] if self._has_bytes else [UNKNOWN]


def _words(text: str) -> list[str]:
    return [
        BLANK * (place > 0 or text.startswith(BLANK)) + word for place, word in enumerate(text.removeprefix(BLANK).split(BLANK)) if text
    ]
