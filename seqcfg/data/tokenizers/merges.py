"""Learning pieces of words by merging the most frequent neighbours (Sennrich et al. 2016, arXiv:1508.07909)."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict

from seqcfg.errors import UserError

Pair = tuple[str, str]


def learn_pieces(words: Counter[str], count: int, inside: str) -> list[str]:
    """The single characters of the words and the results of merges, `count` in all; pieces within words begin with `inside`.

    Ties are broken by the order of code points, so that a corpus gives the same pieces everywhere. Raises UserError if
    the corpus has more characters than that, or cannot give so many pieces.
    """
    spelt = [([word[0], *(inside + letter for letter in word[1:])], frequency) for word, frequency in sorted(words.items())]
    letters = sorted({piece for pieces, _ in spelt for piece in pieces})
    if len(letters) > count:
        raise UserError(
            f"{count} pieces do not hold all characters of the corpus: that takes {len(letters)}",
            hint=f"vocab_size: {len(letters) + 4}, or more",
        )
    learner, found = _Merges(spelt, inside), dict.fromkeys(letters)
    while len(found) < count:
        merged = learner.merge_best()
        if merged is None:
            raise UserError(f"the corpus gives no more than {len(found)} pieces", hint=f"vocab_size: {len(found) + 4}, or less")
        found[merged] = None
    return list(found)


class _Merges:
    """Counts of neighbours, kept up to date while they are merged."""

    def __init__(self, spelt: list[tuple[list[str], int]], inside: str):
        self._spelt, self._inside = spelt, inside
        self._counts: Counter[Pair] = Counter()
        self._places: dict[Pair, set[int]] = defaultdict(set)
        for number, (pieces, frequency) in enumerate(spelt):
            self._count(number, pieces, frequency)
        self._heap = [(-count, pair) for pair, count in self._counts.items()]
        heapq.heapify(self._heap)

    def merge_best(self) -> str | None:
        """Merges the most frequent pair everywhere and returns what it became, or None where no pair is left."""
        while self._heap:
            count, pair = heapq.heappop(self._heap)
            if self._counts.get(pair, 0) == -count and count:
                return self._merge(pair)
        return None

    def _merge(self, pair: Pair) -> str:
        merged, changed = pair[0] + pair[1].removeprefix(self._inside), set()
        for number in sorted(self._places.pop(pair)):
            pieces, frequency = self._spelt[number]
            for before in zip(pieces, pieces[1:], strict=False):
                self._counts[before] -= frequency
                changed.add(before)
            joined: list[str] = []
            for piece in pieces:
                if joined and (joined[-1], piece) == pair:
                    joined[-1] = merged
                else:
                    joined.append(piece)
            self._spelt[number] = (joined, frequency)
            changed |= self._count(number, joined, frequency)
        for one in changed:
            if self._counts[one] > 0:
                heapq.heappush(self._heap, (-self._counts[one], one))
            else:
                del self._counts[one]
        return merged

    def _count(self, number: int, pieces: list[str], frequency: int) -> set[Pair]:
        pairs = set()
        for pair in zip(pieces, pieces[1:], strict=False):
            self._counts[pair] += frequency
            self._places[pair].add(number)
            pairs.add(pair)
        return pairs
