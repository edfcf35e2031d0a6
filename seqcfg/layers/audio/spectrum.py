"""Windows and mel filters as arrays, by the definitions that the field's programs use."""

from __future__ import annotations

import functools
import math
from typing import Any, Literal

from seqcfg.lazy import np

Window = Literal["hann", "hann_symmetric", "hamming", "hamming_symmetric", "povey", "rectangular"]
MelScale = Literal["htk", "slaney"]

SLANEY_HZ_PER_MEL = 200.0 / 3  # below the knee; Slaney's Auditory Toolbox, Technical Report 1998-010
SLANEY_KNEE_HZ, SLANEY_LOG_STEP = 1000.0, math.log(6.4) / 27


def window(name: Window, size: int) -> Any:
    """float64 [size]. Periodic ones are cut from a window of size + 1, as spectral analysis wants them.

    povey is a symmetric Hann window to the power of 0.85, as Kaldi has it.
    """
    shape, _, form = name.partition("_")
    if shape == "rectangular" or size == 1:
        return np.ones([size])
    period = size - 1 if form == "symmetric" or shape == "povey" else size
    cosine = np.cos(2 * np.pi * np.arange(size) / period)
    if shape == "hamming":
        return 0.54 - 0.46 * cosine
    hann = 0.5 - 0.5 * cosine
    return hann**0.85 if shape == "povey" else hann


def mel(hertz: Any, scale: MelScale) -> Any:
    """Hertz in mels. htk: 2595 log10(1 + f / 700) (O'Shaughnessy 1987); slaney: linear to 1 kHz, then logarithmic."""
    hertz = np.asarray(hertz, np.float64)
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hertz / 700.0)
    knee = SLANEY_KNEE_HZ / SLANEY_HZ_PER_MEL
    above = knee + np.log(np.maximum(hertz, SLANEY_KNEE_HZ) / SLANEY_KNEE_HZ) / SLANEY_LOG_STEP
    return np.where(hertz < SLANEY_KNEE_HZ, hertz / SLANEY_HZ_PER_MEL, above)


def hertz(mels: Any, scale: MelScale) -> Any:
    """The inverse of `mel`."""
    mels = np.asarray(mels, np.float64)
    if scale == "htk":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    knee = SLANEY_KNEE_HZ / SLANEY_HZ_PER_MEL
    above = SLANEY_KNEE_HZ * np.exp(SLANEY_LOG_STEP * (np.maximum(mels, knee) - knee))
    return np.where(mels < knee, mels * SLANEY_HZ_PER_MEL, above)


@functools.lru_cache(maxsize=16)
def mel_filters(num_bins: int, fft_size: int, sample_rate: int, lower: float, upper: float, scale: MelScale, sides: str, norm: str) -> Any:
    """float64 [fft_size / 2 + 1, num_bins]: triangles whose corners are evenly spaced in mels from `lower` to `upper` Hz.

    Their sides are straight over mels (HTK, Kaldi, TensorFlow) or over hertz (librosa, torchaudio). `norm` area
    divides each by half its width in Hz, so that all have the area 1.
    """
    frequencies = np.arange(fft_size // 2 + 1) * sample_rate / fft_size
    corners = np.linspace(mel(lower, scale), mel(upper, scale), num_bins + 2)
    edges = hertz(corners, scale)
    points, corners = (mel(frequencies, scale), corners) if sides == "mel" else (frequencies, edges)
    rising = (points[:, None] - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - points[:, None]) / (corners[2:] - corners[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    return filters * (2.0 / (edges[2:] - edges[:-2])) if norm == "area" else filters
