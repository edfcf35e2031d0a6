"""What a server puts up with: sizes, times and numbers, each with its answer when it is exceeded."""

from __future__ import annotations

import dataclasses

SOUND_BODY_BYTES = 1 << 24  # a minute of stereo at 44.1 kHz in base64


@dataclasses.dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    head_bytes: int = 16_384  # request line and headers; beyond: 431
    body_bytes: int = 1 << 20  # beyond: 413
    texts: int = 128  # of one request; beyond: 413
    connections: int = 256  # open at once; beyond: 503
    waiting: int = 1024  # texts that wait for the model; beyond: 429
    read_seconds: float = 10.0  # for a whole head, and for a whole body; beyond: 408
    idle_seconds: float = 60.0  # between requests of a connection, which is then closed
    answer_seconds: float = 60.0  # from a whole request to its answer; beyond: 503
    drain_seconds: float = 10.0  # for answers under way when the server is told to stop
