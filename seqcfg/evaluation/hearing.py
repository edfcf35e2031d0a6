"""Answers to sounds: long ones in pieces, damaged ones told, words with their times where wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from seqcfg.data.sound_stream import SoundPart, all_pieces, rate_of
from seqcfg.decoding.decoder import Decoded
from seqcfg.decoding.frame_alignment import FrameAligner, Timed, words_of
from seqcfg.evaluation.answerer import Answerer
from seqcfg.evaluation.written import as_json, one_line


class Heard(NamedTuple):
    """One sound: what was understood, its words with their times where wanted, its length, and what is wrong with it."""

    decoded: Decoded
    words: list[list[Timed]] | None
    seconds: float
    problem: str = ""


def joined(answers: list[Decoded]) -> Decoded:
    """What was understood of a sound by what was understood of its pieces."""
    if len(answers) == 1:
        return answers[0]
    text = " ".join(one.text for one in answers if one.text)
    totals = sum(one.scores[0] for one in answers), sum(one.log_probabilities[0] for one in answers)
    ids = [number for one in answers for number in one.ids[0]]
    return Decoded([text], [totals[0]], [totals[1]], [ids])


class Hearer(Answerer):
    """As `Answerer` for rows that name sounds (see `SoundStream`); `num_damaged` counts those that could not be read.

    Sounds of another rate are resampled. One longer than decoding.max_source_length is decoded in pieces, and its text is
    theirs with spaces between them; it has one output, whatever number was asked for.
    """

    aligner_type = FrameAligner

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self._say: Callable[[str], None] = arguments[-1]
        self.num_damaged = self.num_resampled = 0
        self._longest = self._settings.max_source_length * self._task.samples_per_position

    def __call__(self, rows: list[tuple[str, ...]], first: int, progress: Callable[[int], None]) -> str:
        parts = [SoundPart.of_line(row[0]) for row in rows]
        lines = []
        for number, (part, one) in enumerate(zip(parts, self.heard(parts, first, progress), strict=True), first):
            lines.append(self._written(number, part, one))
        return "".join(lines)

    def heard(self, parts: list[SoundPart], first: int, progress: Callable[[int], None]) -> Iterator[Heard]:
        """What is understood of each sound, a few at a time."""
        for start in range(0, len(parts), self._task.lines_at_once):
            some = parts[start : start + self._task.lines_at_once]
            found = [self._read(part) for part in some]
            flat = [piece for pieces, _ in found for piece in pieces]
            answers = iter(self.decoder.decode(flat, None, first + start))
            for pieces, problem in found:
                yield self._joined(pieces, [next(answers) for _ in pieces], problem)
            progress(first + start + len(some))

    def remarks(self) -> list[str]:
        """What a user should know when all is done."""
        found = []
        if self.num_resampled:
            found.append(f"{self.num_resampled} sounds had another sample rate than {self._task.sample_rate_hz} Hz and were resampled")
        if self.num_damaged:
            found.append(f"{self.num_damaged} sounds could not be read; their outputs are empty")
        return found

    def _read(self, part: SoundPart) -> tuple[list[Any], str]:
        pieces, problem = all_pieces(part, self._task.sample_rate_hz, self._longest)
        if problem:
            self.num_damaged += 1
            self._say(f"{part.path}: {problem}")
            return [], problem
        self.num_resampled += bool(pieces) and rate_of(part) != self._task.sample_rate_hz
        return pieces, ""

    def _joined(self, pieces: list[Any], answers: list[Decoded], problem: str) -> Heard:
        rate = self._task.sample_rate_hz
        words = self._words(pieces, answers) if self._asked.alignments else None
        seconds = sum(map(len, pieces)) / rate
        return Heard(joined(answers), words, seconds, problem)

    def _words(self, pieces: list[Any], answers: list[Decoded]) -> list[list[Timed]]:
        """Per output its words; of a sound in pieces those of its one output."""
        aligner: Any = self._aligner
        rate = self._task.sample_rate_hz
        if len(answers) == 1:
            return [words_of(aligner.times(pieces[0], ids)) for ids in answers[0].ids]
        words, begin = [], 0
        for piece, one in zip(pieces, answers, strict=True):
            for word in words_of(aligner.times(piece, one.ids[0])):
                words.append(Timed(word.token, round(word.start + begin / rate, 3), round(word.end + begin / rate, 3)))
            begin += len(piece)
        return [words]

    def _written(self, number: int, part: SoundPart, one: Heard) -> str:
        if self._asked.format == "jsonl":
            extra: dict[str, Any] = {"audio": part.path, "seconds": round(one.seconds, 3)}
            if part != SoundPart(part.path):
                extra |= {"offset": part.offset, "duration": part.duration}
            extra |= {"problem": one.problem} if one.problem else {}
            extra |= {"words": [[list(word) for word in words] for words in one.words]} if one.words is not None else {}
            return as_json(self._style.entry(number, one.decoded) | extra) + "\n"
        timed = [" ".join(f"{one_line(word)}@{start:.2f}-{end:.2f}" for word, start, end in words) for words in one.words or []]
        return self._style.lines(number, one.decoded, timed if one.words is not None else None)
