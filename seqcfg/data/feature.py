"""Feature: one column of prepared data, as a task asks for it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Feature:
    """What a task wants to find in a batch under some name.

    field      the raw field of a source's examples it is made from ("source", "target", "audio", ...)
    tokenizer  name of the tokenizer that turns the text into ids; "" keeps the raw value
    dtype      "int32", "float32" or "bytes" (bytes columns are kept for evaluation and never batched)
    frame      shape of one time step: () for ids, (80,) for log-mel frames
    is_ragged  whether examples differ in length along the first axis
    start, end whether the tokenizer's start or end id is put around the ids
    """

    field: str
    tokenizer: str = ""
    dtype: str = "int32"
    frame: tuple[int, ...] = ()
    is_ragged: bool = True
    start: bool = False
    end: bool = False
