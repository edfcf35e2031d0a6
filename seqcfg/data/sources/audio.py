"""Audio with transcripts: what all of its sources share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from seqcfg.component.component import param
from seqcfg.component.kinds import Source
from seqcfg.component.types import NonNegativeInt, PositiveInt
from seqcfg.data.ahead import read_ahead
from seqcfg.data.audio_file import AudioError, mono, read_audio, resample
from seqcfg.data.example import Example
from seqcfg.data.extras import MissingExtra
from seqcfg.data.root import DataRoot
from seqcfg.errors import UserError


class Utterance(NamedTuple):
    """A stretch of an audio file and what is said in it, or what is wrong with its entry.

    audio       path of the file as a recipe would write it
    offset, duration  seconds; a duration of None reaches to the end of the file
    file, line  where the entry stands
    """

    audio: str
    text: str
    key: str
    file: str
    line: int
    offset: float = 0.0
    duration: float | None = None
    problem: str = ""


class AudioSource(Source):
    """Utterances as fields audio (float32 samples in -1 .. 1), text and key (the utterance's name)."""

    sample_rate_hz: PositiveInt = param(doc="Sample rate of all audio, in Hz; a file with another one is damaged, or resampled.")
    resample: bool = param(default=False, doc="Whether files with another rate are resampled.")
    channel: NonNegativeInt | None = param(default=None, doc="Which channel is taken, the first is 0; null takes the mean of all.")

    def utterances(self, root: DataRoot) -> Iterator[Utterance]:
        """The entries of the corpus in a fixed order."""
        raise TypeError(f"{type(self).__name__} defines no utterances")

    def field_names(self) -> tuple[str, ...]:
        """What an example has."""
        return ("audio", "text", "key")

    def listed_paths(self, root: DataRoot) -> list[str]:
        """The audio files that the corpus names."""
        return [utterance.audio for utterance in self.utterances(root) if not utterance.problem]

    def examples(self, root: DataRoot) -> Iterator[Example]:
        """One example per utterance; a file that is missing, damaged or of another rate makes it an example with a problem."""
        return read_ahead(lambda one: self._example(root, one), self.utterances(root))

    def _example(self, root: DataRoot, one: Utterance) -> Example:
        problem = one.problem
        if not problem:
            try:
                return Example({"audio": self._samples(root, one), "text": one.text, "key": one.key}, one.file, one.line)
            except MissingExtra:
                raise
            except UserError as error:
                problem = error.problems[0].message
            except (AudioError, OSError) as error:
                problem = f"{one.audio}: {error}"
        return Example({}, one.file, one.line, problem)

    def _samples(self, root: DataRoot, one: Utterance) -> Any:
        samples, rate = read_audio(root.resolve(one.audio), one.offset, one.duration)
        if rate != self.sample_rate_hz and not self.resample:
            raise AudioError(f"has {rate} Hz instead of {self.sample_rate_hz}")
        return resample(mono(samples, self.channel), rate, self.sample_rate_hz)
