"""Samples of a WAV stream as they arrive."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, Any

from seqcfg.errors import UserError
from seqcfg.lazy import np

PCM, EXTENSIBLE = 1, 0xFFFE
BLOCK_SECONDS = 0.1


def live_samples(stream: IO[bytes], sample_rate: int) -> Iterator[Any]:
    """Float32 samples in -1 .. 1 of 16-bit WAV data, channels averaged, a tenth of a second at a time, until the stream ends.

    Sizes in the header are not looked at: who writes into a pipe does not know them. Raises UserError for what is no such stream.
    """
    channels = _header(stream, sample_rate)
    size = 2 * channels
    block, rest = max(1, int(BLOCK_SECONDS * sample_rate)) * size, b""
    while data := stream.read(block):
        data = rest + data
        whole = len(data) - len(data) % size
        rest = data[whole:]
        if whole:
            samples = np.frombuffer(data[:whole], "<i2").reshape(-1, channels).astype(np.float32) / np.float32(32768)
            yield samples.mean(axis=1, dtype=np.float32)


def _header(stream: IO[bytes], sample_rate: int) -> int:
    """Reads up to the samples and returns the number of channels."""
    hint = f"send 16-bit WAV at {sample_rate} Hz, as `ffmpeg -i INPUT -ar {sample_rate} -ac 1 -f wav -` does"
    start = stream.read(12)
    if start[:4] != b"RIFF" or start[8:12] != b"WAVE":
        raise UserError("the stream is no WAV sound", hint=hint)
    channels = 0
    while len(chunk := stream.read(8)) == 8:
        name, (size,) = chunk[:4], struct.unpack("<I", chunk[4:])
        if name == b"data" and channels:
            return channels
        content = stream.read(size + size % 2)
        if name == b"fmt ":
            form, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
            if form not in (PCM, EXTENSIBLE) or bits != 16 or rate != sample_rate:
                raise UserError(f"the stream has {rate} Hz and {bits} bits, and cannot be resampled as it comes", hint=hint)
    raise UserError("the stream ends before its samples", hint=hint)
