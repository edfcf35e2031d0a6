"""Feature: one column of prepared data, as a task asks for it."""

from __future__ import annotations

import dataclasses
from typing import Any

LATER = {"storage": "", "scale": 1.0, "unit": 1}  # fields that came later, with the default that keeps earlier fingerprints


@dataclasses.dataclass(frozen=True)
class Feature:
    """What a task wants to find in a batch under some name.

    field      the raw field of a source's examples it is made from ("source", "target", "audio", ...)
    tokenizer  name of the tokenizer that turns the text into ids; "" keeps the raw value
    dtype      "int32", "float32", "uint8", "int16" ... or "bytes" (bytes columns are kept for evaluation and never batched)
    frame      shape of one time step: () for ids and samples, (80,) for log-mel frames, (28, 28, 1) for images
    is_ragged  whether examples differ in length along the first axis
    start, end whether the tokenizer's start or end id is put around the ids
    storage    dtype on disk, "" for that of the batch; "int16" for audio, "uint8" for images
    scale      what lies on disk is the value times this, rounded if `storage` is whole; 32768 for audio in int16
    unit       steps of a ragged feature that count as one where batches are planned: 160 samples of 16 kHz are 10 ms
    """

    field: str
    tokenizer: str = ""
    dtype: str = "int32"
    frame: tuple[int, ...] = ()
    is_ragged: bool = True
    start: bool = False
    end: bool = False
    storage: str = ""
    scale: float = 1.0
    unit: int = 1

    def told(self) -> dict[str, Any]:
        """What prepared data depends on, as a plain dict: how batches count steps has no part in it."""
        plain = dataclasses.asdict(self)
        del plain["unit"]
        return {name: value for name, value in plain.items() if name not in LATER or value != LATER[name]}
