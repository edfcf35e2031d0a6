"""What a recipe may be at most, so that reading one takes a bounded time and memory."""

from __future__ import annotations

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 100_000
MAX_SCALAR = 65_536
MAX_PROBLEMS = 100  # that are told of at once
