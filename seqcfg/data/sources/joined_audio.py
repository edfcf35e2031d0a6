"""Utterances made of shorter ones: strings of spoken digits, say, from recordings of single digits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import NonNegativeFloat, NonNegativeInt, PositiveInt
from seqcfg.data.example import Example
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.composed import listed
from seqcfg.errors import UserError
from seqcfg.lazy import np


class JoinedAudio(Source, type="joined_audio"):
    """Utterances of another source joined end to end, their texts by spaces; example i is a function of (seed, i) and the source.

    Fields: audio, text and key, the number of the example with the keys that were joined. All recordings are held in memory.
    A damaged recording makes an example with a problem, and is left out of the others.
    """

    source: Source = param(doc="The source of the parts, one of audio.")
    num_examples: PositiveInt = param(doc="How many utterances are made.")
    fewest: PositiveInt = param(default=3, doc="Fewest parts of an utterance.")
    most: PositiveInt = param(default=7, doc="Most parts of an utterance; all counts between are equally frequent.")
    sample_rate_hz: PositiveInt = param(doc="Sample rate of the source's audio, in Hz.")
    longest_gap_seconds: NonNegativeFloat = param(default=0.0, doc="Longest silence between two parts; all up to it are equally frequent.")
    common_part: NonNegativeInt | None = param(
        default=None,
        doc="Which part of the keys, cut at underscores and counted from 0, the joined share, such as the speaker; null for none.",
    )
    seed: NonNegativeInt = param(default=0, doc="Chooses parts and gaps.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.fewest > self.most:
            yield "fewest", f"{self.fewest} is above most, {self.most}", "make it smaller"
        if "audio" not in (self.source.field_names() or ("audio",)):
            yield "source", "the source gives no audio", "take a source of audio, such as audio_folder"

    def paths(self) -> list[str]:
        """The files of the source."""
        return self.source.paths()

    def listed_paths(self, root: DataRoot) -> list[str]:
        """The files that those of the source name."""
        return listed(self.source, root)

    def field_names(self) -> tuple[str, ...]:
        """What an example has."""
        return ("audio", "text", "key")

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per number, after those of the source that have a problem."""
        parts: list[dict[str, Any]] = []
        for one in self.source.examples(root):
            if one.problem:
                yield one
            else:
                parts.append(one.fields)
        groups = self._groups(parts)
        for number in range(1, self.num_examples + 1):
            digest = hashlib.sha256(f"joined_audio {self.seed} {number}".encode()).digest()
            yield Example(self._joined(groups, number, np.random.Philox(key=int.from_bytes(digest[:16], "little"))), "joined_audio", number)

    def _groups(self, parts: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """Parts that may be joined with one another, in the order in which the first of each came."""
        if not parts:
            raise UserError("joined_audio: the source has no whole utterance to join")
        groups: dict[str, list[dict[str, Any]]] = {}
        for part in parts:
            cells = part["key"].split("_")
            if self.common_part is not None and self.common_part >= len(cells):
                hint = "count the key's parts from 0, or leave common_part out"
                raise UserError(
                    f"joined_audio: the key {part['key']} has {len(cells)} parts, and none is number {self.common_part}", hint=hint
                )
            groups.setdefault("" if self.common_part is None else cells[self.common_part], []).append(part)
        return list(groups.values())

    def _joined(self, groups: list[list[dict[str, Any]]], number: int, bits: Any) -> dict[str, Any]:
        def draw(count: int) -> int:
            return int(int(bits.random_raw()) % count)

        group = groups[draw(len(groups))]
        chosen = [group[draw(len(group))] for _ in range(self.fewest + draw(self.most - self.fewest + 1))]
        longest = int(self.longest_gap_seconds * self.sample_rate_hz)
        sounds = [chosen[0]["audio"]]
        for part in chosen[1:]:
            sounds += [np.zeros(draw(longest + 1), np.float32), part["audio"]]
        key = "+".join([str(number), *(part["key"] for part in chosen)])
        return {"audio": np.concatenate(sounds), "text": " ".join(part["text"] for part in chosen), "key": key}
