"""The kernel by which sound is read between its samples."""

from __future__ import annotations

from typing import Any

from seqcfg.lazy import np

ZERO_CROSSINGS = 16  # of the kernel on each side, at the lower of both rates
KAISER_BETA = 9.0  # stop band near -90 dB


def sinc_kernel(distance: Any, cutoff: float, reach: int) -> Any:
    """Weights of samples at these distances, in samples: a sinc in a Kaiser window (Smith, Digital Audio Resampling).

    cutoff is the share of the band that is kept; reach the samples to either side, ZERO_CROSSINGS / cutoff or more.
    """
    window = np.i0(KAISER_BETA * np.sqrt(np.maximum(0.0, 1 - (distance / (reach + 1)) ** 2))) / np.i0(KAISER_BETA)
    return np.where(np.abs(distance) <= reach + 1, cutoff * np.sinc(cutoff * distance) * window, 0.0)
