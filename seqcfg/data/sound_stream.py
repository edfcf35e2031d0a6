"""Sounds to be decoded: files, folders, manifests or a sound on standard input, one answer each."""

from __future__ import annotations

import json
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from seqcfg.data.audio_file import AudioError, mono, read_audio, resample, seconds_of
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.audio_layouts import AUDIO_SUFFIXES
from seqcfg.data.sources.audio_manifest import AudioManifest
from seqcfg.errors import UserError
from seqcfg.lazy import np

MANIFESTS = {".jsonl": "jsonl", ".json": "jsonl", ".tsv": "tsv"}
QUIET_SECONDS = 0.2  # the stretch whose energy tells where a long sound is cut
SEARCHED_SHARE = 1 / 3  # of the longest piece, at its end, in which that stretch is looked for
UNKNOWN_SIZE = 0x7FFFFFFF  # from here on a size in a WAV header was not known when it was written


class SoundPart(NamedTuple):
    """A file, or a stretch of it in seconds; a duration of None reaches to the end."""

    path: str
    offset: float = 0.0
    duration: float | None = None

    def line(self) -> str:
        """As one line of text, which `of_line` reads."""
        return self.path if self == SoundPart(self.path) else json.dumps(self)

    @staticmethod
    def of_line(line: str) -> SoundPart:
        return SoundPart(*json.loads(line)) if line.startswith("[") else SoundPart(line)


class SoundStream:
    """Names of the sounds that an input means, as lines; used as a LineStream is.

    A folder stands for all audio files in it and below, in order of their names; a manifest (.jsonl, .tsv, as the source
    audio_manifest reads it) for its entries, paths starting from its folder; "-" for the sound on standard input.
    Raises UserError where there is nothing of that kind.
    """

    def __init__(self, name: str):
        self.name, self.number = name, 0
        self._parts: list[SoundPart] = [SoundPart(standard_input())] if name == "-" else _parts_of(Path(name))

    def total(self) -> int:
        return len(self._parts)

    def texts(self) -> Iterator[str]:
        for part in self._parts:
            self.number += 1
            yield part.line()

    def remarks(self) -> list[str]:
        return []


def _parts_of(path: Path) -> list[SoundPart]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in AUDIO_SUFFIXES)
        if not files:
            raise UserError(f"{path}: holds no audio file", hint=f"such files end in {', '.join(AUDIO_SUFFIXES)}")
        return [SoundPart(str(file)) for file in files]
    if not path.is_file():
        raise UserError(f"{path}: there is no such file", hint="give an audio file, a folder of them, a manifest, or - for standard input")
    if path.suffix not in MANIFESTS:
        return [SoundPart(str(path))]
    source = AudioManifest(path=path.name, format=MANIFESTS[path.suffix], sample_rate_hz=1)  # type: ignore[arg-type]
    found = []
    for one in source.utterances(DataRoot(path.parent)):
        if one.problem:
            raise UserError(f"{path}:{one.line}: {one.problem}", hint="mend the line")
        found.append(SoundPart(str(path.parent / one.audio), one.offset, one.duration))
    return found


def pieces(part: SoundPart, sample_rate: int, longest: int) -> Iterator[Any]:
    """Float32 samples in -1 .. 1 at this rate, channels averaged, in pieces of at most `longest` samples.

    A longer sound is cut at the quietest place near the end of each piece, so that a file of hours needs the memory of one
    piece and words stay whole. Raises AudioError if the file is damaged.
    """
    path, start = Path(part.path), part.offset
    end = seconds_of(path) if part.duration is None else part.offset + part.duration
    size = longest / sample_rate
    while start < end:
        is_last = end - start <= size
        samples, rate = read_audio(path, start, None if is_last and part.duration is None else min(size, end - start))
        samples = resample(mono(samples, None), rate, sample_rate)[:longest]
        if not is_last:
            samples = samples[: _quietest(samples, sample_rate)]
        yield samples
        start = end if is_last else start + len(samples) / sample_rate


def cut_pieces(samples: Any, sample_rate: int, longest: int) -> Iterator[Any]:
    """Samples that are there already, cut as `pieces` cuts a file of this rate."""
    while len(samples):
        size = len(samples) if len(samples) <= longest else _quietest(samples[:longest], sample_rate)
        yield samples[:size]
        samples = samples[size:]


def rate_of(part: SoundPart) -> int:
    """The sample rate of the file in Hz; raises AudioError if it is none."""
    return read_audio(Path(part.path), part.offset, 0.0)[1]


def _quietest(samples: Any, rate: int) -> int:
    """The middle of the stretch with the least energy in the last part of the samples."""
    width = max(1, int(QUIET_SECONDS * rate))
    first = int(len(samples) * (1 - SEARCHED_SHARE))
    energy = np.cumsum(np.square(samples[first:], dtype=np.float64))
    if len(energy) <= width:
        return len(samples)
    return first + int(np.argmin(energy[width:] - energy[:-width])) + width // 2


def standard_input() -> str:
    """Writes what comes to a temporary file, which lives as long as the process, and returns its path."""
    data = sys.stdin.buffer.read()
    suffix = suffix_of(data)
    if suffix is None:
        raise UserError("standard input is no WAV, FLAC or Ogg sound", hint="send a whole file, as `cat sound.wav |` does")
    file = tempfile.NamedTemporaryFile(suffix=suffix)  # noqa: SIM115 - removed when the process ends
    _KEPT.append(file)
    file.write(with_true_sizes(data) if suffix == ".wav" else data)
    file.flush()
    return file.name


_KEPT: list[Any] = []


def suffix_of(data: bytes) -> str | None:
    """How the name of a file with these bytes ends, or None if they are no sound that is read without a name."""
    return {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg"}.get(data[:4])


def with_true_sizes(data: bytes) -> bytes:
    """A WAV file whose header says how long it is: programs that write into a pipe cannot know it."""
    place = 12
    while place + 8 <= len(data):
        name, (size,) = data[place : place + 4], struct.unpack("<I", data[place + 4 : place + 8])
        if name == b"data":
            rest = len(data) - place - 8
            if size and size < UNKNOWN_SIZE:
                return data
            return data[:4] + struct.pack("<I", len(data) - 8) + data[8 : place + 4] + struct.pack("<I", rest) + data[place + 8 :]
        place += 8 + size + size % 2
    return data


def all_pieces(part: SoundPart, sample_rate: int, longest: int) -> tuple[list[Any], str]:
    """The pieces, and what is wrong with the file, which then has none."""
    try:
        return list(pieces(part, sample_rate, longest)), ""
    except (AudioError, OSError) as error:
        return [], str(error) or type(error).__name__
