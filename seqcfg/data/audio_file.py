"""Samples of audio files: WAV by the standard library, all else (FLAC, Ogg, NIST Sphere ...) by libsndfile."""

from __future__ import annotations

import math
import wave
from pathlib import Path
from typing import Any

from seqcfg.data.extras import extra
from seqcfg.layers.audio.resampling import ZERO_CROSSINGS, sinc_kernel
from seqcfg.lazy import np

FULL_SCALE = {1: 128.0, 2: 32768.0, 3: 8388608.0, 4: 2147483648.0}  # by bytes per sample
BLOCK = 1 << 20  # products of samples and kernel that are in memory at once


class AudioError(ValueError):
    """A file that cannot be used, and why."""


def read_audio(path: Path, offset_seconds: float = 0.0, duration_seconds: float | None = None) -> tuple[Any, int]:
    """(samples float32 [time, channels] in -1 .. 1, sample rate in Hz) of a file or a part of it.

    Raises AudioError if the file is damaged or cut short, or the part lies outside.
    """
    return (_wave if path.suffix.lower() == ".wav" else _sound_file)(path, offset_seconds, duration_seconds)


def seconds_of(path: Path) -> float:
    """How long a file says it is; raises AudioError if it is none."""
    if path.suffix.lower() == ".wav":
        try:
            with wave.open(str(path), "rb") as file:
                return file.getnframes() / file.getframerate()
        except (wave.Error, EOFError) as error:
            raise AudioError(f"is not a WAV file of whole numbers: {str(error) or 'it ends early'}") from error
    library = extra("soundfile", f"a {path.suffix} file")
    try:
        return library.info(str(path)).duration
    except library.LibsndfileError as error:
        raise AudioError(f"cannot be read: {error.error_string}") from error


def mono(samples: Any, channel: int | None) -> Any:
    """One channel, or the mean of all: [time]."""
    if channel is None:
        return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    if channel >= samples.shape[1]:
        raise AudioError(f"has {samples.shape[1]} channels, and channel {channel} is asked for (the first is 0)")
    return samples[:, channel]


def resample(samples: Any, rate: int, wanted: int) -> Any:
    """float32 [time] at another rate, by a sinc kernel in a Kaiser window (Smith, Digital Audio Resampling)."""
    if rate == wanted or not len(samples):
        return samples
    step, cutoff = rate / wanted, min(1.0, wanted / rate)
    reach = math.ceil(ZERO_CROSSINGS / cutoff)
    padded = np.pad(samples.astype(np.float64), reach + 1)
    taps = np.arange(-reach, reach + 1)
    parts, block = [], max(1, BLOCK // len(taps))
    total = -(-len(samples) * wanted // rate)
    for start in range(0, total, block):
        time = np.arange(start, min(start + block, total)) * step
        whole = np.floor(time).astype(np.int64)
        distance = taps - (time - whole)[:, None]  # [block, taps]
        parts.append((padded[whole[:, None] + taps + reach + 1] * sinc_kernel(distance, cutoff, reach)).sum(axis=1))
    return np.concatenate(parts).astype(np.float32)


def _wave(path: Path, offset: float, duration: float | None) -> tuple[Any, int]:
    try:
        with wave.open(str(path), "rb") as file:
            rate, width, channels, frames = file.getframerate(), file.getsampwidth(), file.getnchannels(), file.getnframes()
            start, count = _part(offset, duration, rate, frames)
            file.setpos(start)
            data = file.readframes(count)
    except (wave.Error, EOFError) as error:
        raise AudioError(f"is not a WAV file of whole numbers: {str(error) or 'it ends early'}") from error
    if len(data) != count * width * channels:
        raise AudioError(f"ends early: {len(data) // (width * channels)} of {count} frames")
    if width not in FULL_SCALE:
        raise AudioError(f"has {8 * width} bits a sample")
    return (_whole_numbers(data, width) / np.float32(FULL_SCALE[width])).astype(np.float32).reshape(-1, channels), rate


def _whole_numbers(data: bytes, width: int) -> Any:
    if width == 1:
        return np.frombuffer(data, np.uint8).astype(np.float32) - 128
    if width == 3:
        parts = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
        return ((parts[:, 0] | parts[:, 1] << 8 | parts[:, 2] << 16) ^ 0x800000) - 0x800000
    return np.frombuffer(data, f"<i{width}")


def _sound_file(path: Path, offset: float, duration: float | None) -> tuple[Any, int]:
    library = extra("soundfile", f"a {path.suffix} file")
    try:
        with library.SoundFile(str(path)) as file:
            start, count = _part(offset, duration, file.samplerate, file.frames)
            file.seek(start)
            samples = file.read(count, dtype="float32", always_2d=True)
            rate = file.samplerate
    except library.LibsndfileError as error:
        raise AudioError(f"cannot be read: {error.error_string}") from error
    if len(samples) != count:
        raise AudioError(f"ends early: {len(samples)} of {count} frames")
    return samples, rate


def _part(offset: float, duration: float | None, rate: int, frames: int) -> tuple[int, int]:
    start = round(offset * rate)
    count = frames - start if duration is None else round(duration * rate)
    if count < 0 or start + count > frames + rate // 100:  # a hundredth of a second is lost in rounded times
        raise AudioError(f"is {frames / rate:.2f} s long, and {offset:.2f} s to {offset + (duration or 0):.2f} s is asked for")
    return start, min(count, frames - start)
