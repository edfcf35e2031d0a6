"""The engine: a search traced once, run batch after batch, compiled by XLA where it pays."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from seqcfg.decoding.member import Member
from seqcfg.decoding.shortlist import IDS, OWN
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.decoding.traced import Traced
from seqcfg.decoding.ways import Ways
from seqcfg.lazy import tf


class Engine:
    """Runs a search over batches of numpy arrays. `compose(views, inputs)` makes the stepper of the members' views."""

    def __init__(self, search: Any, members: list[Member], compose: Callable[[list[Any], dict[str, Any]], Any], xla: str = "auto"):
        self._search, self._members, self._compose = search, members, compose
        self.ways = Ways(xla)
        self._lock = threading.Lock()
        self._traced: dict[tuple[Any, ...], Traced] = {}  # by what `form` says of the inputs, and whether XLA compiles them

    def __call__(self, inputs: dict[str, Any], limits: Any, lines: Any, size: int) -> Hypotheses:
        """What `search` finds for inputs [rows, ...] within limits [rows], as numpy arrays; buffers have `size` positions."""
        key = (len(limits), size, *times_of(inputs))
        xla = self.ways.is_xla(key)
        begun = time.monotonic()
        traced = self._traced_for(inputs, xla)
        index, found = (traced.one if len(limits) == 1 else traced.batch)(*tensors(inputs, limits, lines, size))
        result = as_arrays(found)
        self.ways.record(key, xla, time.monotonic() - begun, int(index))
        return result

    def partial(self, inputs: dict[str, Any], limits: Any, lines: Any, size: int) -> Iterator[tuple[list[int], Hypotheses]]:
        """Of one sentence, after each step: the tokens with which its best output will begin whatever follows, and what there is."""
        traced = self._traced_for(inputs, self.ways.is_xla((1, size, *times_of(inputs))))
        state = traced.begin(*tensors(inputs, limits, lines, size))
        while True:
            state, found = traced.step(state)
            result = as_arrays(found)
            yield self._search.settled(state.own, int(state.index)), result
            if result.is_over[0] or int(state.index) >= int(self._search.last(state)):
                return

    def _traced_for(self, inputs: dict[str, Any], xla: bool) -> Traced:
        """The functions of inputs like these, traced for any number of rows and positions."""
        key = (form(inputs), xla)
        with self._lock:  # threads share what is traced
            if key not in self._traced:
                specs = {name: tf.TensorSpec(shape, inputs[name].dtype) for name, shape in form(inputs)}
                self._traced[key] = Traced(self._search, self._members, self._compose, specs, xla)
            return self._traced[key]


def times_of(inputs: dict[str, Any]) -> tuple[int, ...]:
    """The sizes of the inputs behind their rows, by which shapes are told apart."""
    return tuple(value.shape[1] for value in inputs.values() if value.ndim > 1)


def form(inputs: dict[str, Any]) -> tuple[tuple[str, tuple[int | None, ...]], ...]:
    """Names and shapes of the inputs as they are traced: rows and positions are free, sizes of shortlists are fixed."""
    return tuple(
        (name, (None, value.shape[1]) if name in (IDS, OWN) else (None,) * len(value.shape)) for name, value in sorted(inputs.items())
    )


def tensors(inputs: dict[str, Any], limits: Any, lines: Any, size: int) -> tuple[Any, ...]:
    """What the functions of `Traced` are told."""
    return {name: tf.constant(value) for name, value in inputs.items()}, tf.constant(limits), tf.constant(lines), tf.constant(size)


def as_arrays(found: Hypotheses) -> Hypotheses:
    return Hypotheses(*(part.numpy() for part in found))


def rung(rows: int) -> int:
    """The smallest of 1, 2, 3, 4, 6, 8, 12, 16, 24 ... that is at least `rows`: few shapes of batches."""
    power = 1 << (rows - 1).bit_length()
    return power * 3 // 4 if power >= 4 and rows <= power * 3 // 4 else power
