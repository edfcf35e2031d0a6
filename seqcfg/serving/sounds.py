"""What a server of speech takes: samples as numbers, or the bytes of a sound file in base64."""

from __future__ import annotations

import base64
import binascii
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from seqcfg.data.audio_file import AudioError, read_audio, seconds_of
from seqcfg.data.extras import MissingExtra
from seqcfg.data.sound_stream import SoundPart, cut_pieces, pieces, suffix_of, with_true_sizes
from seqcfg.lazy import np
from seqcfg.serving.http import HttpError
from seqcfg.serving.sound_page import SOUND_PAGE

RATES_HZ = (1000, 192_000)
MOST_CHANNELS = 8
LOUDEST = 4.0  # resampled music goes a little beyond 1; whole numbers of 16 bits go far beyond
WANTED = 'samples [0.1, ...] or {"b64": "bytes of a WAV, FLAC or Ogg file"}'


class Sounds:
    """Reads sounds for a model of this sample rate, as pieces of at most `longest` samples: lists of float32 [samples] in -1 .. 1.

    Files of another rate are resampled and their channels averaged, as `seqcfg decode` does; numbers are of the model's rate.
    All sounds of one request may have `seconds` together.
    """

    name: ClassVar[str] = "audio"
    is_slow: ClassVar[bool] = True
    wanted: ClassVar[str] = '{"instances": [sound, ...]} or {"inputs": [sound, ...]}, where a sound is ' + WANTED

    def __init__(self, rate: int, longest: int, seconds: float):
        self._rate, self._longest, self._seconds = rate, longest, seconds
        self.sample = [np.zeros([min(longest, rate)], np.float32)]
        self.page = SOUND_PAGE.replace("{rate}", str(max(8000, rate)))  # browsers have no lower one; the rest is resampled here

    def rows(self, instances: list[Any]) -> list[Any]:
        """The sounds of a request. Raises HttpError 400 for what is none, 413 if they are too long."""
        left, found = self._seconds, []
        for one in instances:
            sound = self._file(one["b64"], left) if _is_file(one) else self._numbers(one, left)
            left -= sum(map(len, sound)) / self._rate
            found.append(sound)
        return found

    def columns(self, inputs: Any) -> Any:
        """The instances of `inputs`: a list, one alone, or {"audio": such a list, "audio_length": its numbers of samples}."""
        if isinstance(inputs, dict) and "audio" in inputs:
            rows, lengths = inputs["audio"], inputs.get("audio_length")
            if lengths is None and len(inputs) == 1:
                return rows
            if not isinstance(rows, list) or not isinstance(lengths, list) or len(rows) != len(lengths):
                raise HttpError(400, "audio and audio_length are lists with a member per sound")
            return [{"audio": row, "audio_length": length} for row, length in zip(rows, lengths, strict=True)]
        is_alone = _is_file(inputs) or (isinstance(inputs, list) and bool(inputs) and isinstance(inputs[0], (int, float)))
        return [inputs] if is_alone else inputs

    def _numbers(self, value: Any, left: float) -> list[Any]:
        length = None
        if isinstance(value, dict) and "audio" in value and not value.keys() - {"audio", "audio_length"}:
            value, length = value["audio"], value.get("audio_length")
            if _is_file(value):
                return self._file(value["b64"], left)
        samples = _samples(value)
        if length is not None:
            if not isinstance(length, int) or not 0 <= length <= len(samples):
                raise HttpError(400, f"audio_length is a number of samples, here 0 to {len(samples)}")
            samples = samples[:length]
        self._check(len(samples) / self._rate, left)
        return list(cut_pieces(samples, self._rate, self._longest))

    def _file(self, text: Any, left: float) -> list[Any]:
        data = _bytes(text)
        suffix = suffix_of(data)
        if suffix is None:
            raise HttpError(400, "these bytes are no WAV, FLAC or Ogg file")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"sound{suffix}"
            path.write_bytes(with_true_sizes(data) if suffix == ".wav" else data)
            try:
                nothing, rate = read_audio(path, 0.0, 0.0)
                if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
                    raise HttpError(400, f"the sound has {rate} Hz; {RATES_HZ[0]} to {RATES_HZ[1]} are resampled to {self._rate}")
                if nothing.shape[1] > MOST_CHANNELS:
                    raise HttpError(400, f"the sound has {nothing.shape[1]} channels; at most {MOST_CHANNELS} are averaged")
                self._check(seconds_of(path), left)
                return list(pieces(SoundPart(str(path)), self._rate, self._longest))
            except MissingExtra as error:
                raise HttpError(415, f"this server reads WAV alone: {error.problems[0].message}") from error
            except AudioError as error:
                raise HttpError(400, f"the sound {error}") from error

    def _check(self, seconds: float, left: float) -> None:
        if seconds > left:
            raise HttpError(413, f"the sounds of a request may have {self._seconds:g} seconds")


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"}


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise HttpError(400, "b64 is no base64") from error


def _samples(value: Any) -> Any:
    """float32 [samples] of a list of numbers."""
    if not isinstance(value, list):
        raise HttpError(400, f"a sound is expected: {WANTED}")
    try:
        samples = np.asarray(value)
    except ValueError as error:  # lists of several lengths
        raise HttpError(400, "samples are one list of numbers; channels are averaged before") from error
    if samples.ndim != 1 or samples.dtype.kind not in "if":
        raise HttpError(400, "samples are one list of numbers; channels are averaged before")
    if len(samples) and not np.abs(samples).max() <= LOUDEST:
        raise HttpError(400, "samples are in -1 .. 1; divide whole numbers of 16 bits by 32768")
    return samples.astype(np.float32)
