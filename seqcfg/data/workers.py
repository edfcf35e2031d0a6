"""Encoding chunks in several processes, in order and with bounded memory; a small corpus starts none."""

from __future__ import annotations

import collections
import itertools
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from seqcfg.data.encoding import encode_chunk
from seqcfg.data.example import Example
from seqcfg.data.feature import Feature
from seqcfg.errors import UserError

ALONE_CHUNKS = 8  # encoded by this process before others are started, which takes each about a second
AHEAD = 2  # chunks per process that may wait
State = tuple[dict[str, Feature], dict[str, Any], int]  # features, codecs, variants
_state: dict[str, State] = {}


def encoded(
    chunks: Iterator[tuple[int, list[Example]]], state: State, tokenizers: dict[str, Any], folder: Path, processes: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number of examples, their rows) of each chunk of (number of its first example, examples), in order.

    `tokenizers` and the `folder` that holds theirs by name let other processes load the codecs of `state`.
    """
    alone = itertools.islice(chunks, ALONE_CHUNKS) if processes > 1 else chunks
    for first, chunk in alone:
        yield len(chunk), encode_chunk(chunk, first, *state)
    if processes > 1 and (following := next(chunks, None)) is not None:
        features, _, variants = state
        rest = itertools.chain([following], chunks)
        setting = (features, tokenizers, str(folder), variants, os.getpid())
        context = multiprocessing.get_context("spawn")  # a fork would copy threads of TensorFlow in an unknown state
        with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=setting) as pool:
            try:
                yield from _ordered(pool, rest, processes, {feature.field for feature in features.values()})
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def _ordered(pool: Any, chunks: Any, processes: int, fields: set[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    waiting: collections.deque[tuple[int, Any]] = collections.deque()
    for first, chunk in chunks:
        sent = [example._replace(fields={name: example.fields[name] for name in fields}) for example in chunk]
        waiting.append((len(chunk), pool.submit(_encode, first, sent)))
        if len(waiting) >= AHEAD * processes:
            size, future = waiting.popleft()
            yield size, _result(future)
    while waiting:
        size, future = waiting.popleft()
        yield size, _result(future)


def _result(future: Any) -> dict[str, Any]:
    found = future.result()
    if isinstance(found, tuple):
        raise UserError(found[0], hint=found[1])
    return found


def _begin(features: dict[str, Feature], tokenizers: dict[str, Any], folder: str, variants: int, parent: int) -> None:
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    codecs = {name: tokenizer.load(Path(folder) / name) for name, tokenizer in tokenizers.items()}
    _state["state"] = (features, codecs, variants)


def _leave_with(parent: int) -> None:
    """Ends this process when the one that started it is gone, however that ended."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _encode(first: int, chunk: list[Example]) -> dict[str, Any] | tuple[str, str]:
    """The rows, or a user's problem as (message, hint), which processes can send."""
    try:
        return encode_chunk(chunk, first, *_state["state"])
    except UserError as error:
        return error.problems[0].message, error.problems[0].hint
