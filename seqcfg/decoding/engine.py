"""The engine: a search traced once, run batch after batch; sentences that are over leave, and XLA compiles where it pays."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from seqcfg.decoding.best_tokens import FOR_XLA
from seqcfg.decoding.loop import State, begin, follow, keep
from seqcfg.decoding.member import Member
from seqcfg.decoding.shortlist import IDS, OWN
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.decoding.ways import Ways
from seqcfg.lazy import np, tf

ENDLESS = 2**30  # more steps than any buffer has positions


class Engine:
    """Runs a search over batches of numpy arrays. `compose(views, inputs)` makes the stepper of the members' views."""

    def __init__(self, search: Any, members: list[Member], compose: Callable[[list[Any], dict[str, Any]], Any], xla: str = "auto"):
        self._search, self._members, self._compose = search, members, compose
        self.ways = Ways(xla)
        self._lock = threading.Lock()
        self._traced: dict[tuple[Any, ...], tuple[Any, Any, Any]] = {}  # by what `form` says of the inputs, and whether XLA compiles them

    def __call__(self, inputs: dict[str, Any], limits: Any, lines: Any, size: int) -> Hypotheses:
        """What `search` finds for inputs [rows, ...] within limits [rows], as numpy arrays; buffers have `size` positions.

        After each stage the sentences that are over leave, and the others go on in a smaller batch: the next rung of
        `rung`, so that few shapes occur. What leaves or stays changes no result: sentences never see one another.
        """
        if len(limits) == 1:
            return self._whole(inputs, limits, lines, size)
        state, shape = self._begin(inputs, limits, lines, size)
        sentences = places = np.arange(len(limits), dtype=np.int32)
        results: Any = None
        while True:
            state, found = self._proceed(inputs, state, sentences, (len(sentences), *shape))
            if results is None:
                results = found
            else:
                for whole, part in zip(results, found, strict=True):
                    whole[places] = part
            alive = np.flatnonzero(~found.is_over)
            if not len(alive) or int(state.index) >= int(self._search.last(state)):
                return results
            over = np.flatnonzero(found.is_over)
            sentences = np.concatenate([alive, over[: rung(len(alive)) - len(alive)]]).astype(np.int32)
            places = places[sentences]

    def partial(self, inputs: dict[str, Any], limits: Any, lines: Any, size: int) -> Iterator[tuple[list[int], Hypotheses]]:
        """Of one sentence, after each step: the tokens with which its best output will begin whatever follows, and what there is."""
        state, shape = self._begin(inputs, limits, lines, size)
        only = np.zeros([1], np.int32)
        while True:
            state, found = self._proceed(inputs, state, only, (1, *shape), most_steps=1)
            yield self._search.settled(state.own, int(state.index)), found
            if found.is_over[0] or int(state.index) >= int(self._search.last(state)):
                return

    def _whole(self, inputs: dict[str, Any], limits: Any, lines: Any, size: int) -> Hypotheses:
        """The search of one sentence in one call, which no batch can shrink: no state goes through Python."""
        key = (1, size, *times_of(inputs))
        xla = self.ways.is_xla(key)
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        begun = time.monotonic()
        index, found = self._functions(inputs, xla)[2](tensors, tf.constant(limits), tf.constant(lines), tf.constant(size))
        result = Hypotheses(*(part.numpy() for part in found))
        self.ways.record(key, xla, time.monotonic() - begun, int(index))
        return result

    def _begin(self, inputs: dict[str, Any], limits: Any, lines: Any, size: int) -> tuple[State, tuple[int, ...]]:
        """The first state, and what tells one shape of it from another besides the rows."""
        times = times_of(inputs)
        key = (0, len(limits), *times)
        xla = self.ways.is_xla(key)
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        begun = time.monotonic()
        state = self._functions(inputs, xla)[0](tensors, tf.constant(limits), tf.constant(lines), tf.constant(size))
        self.ways.record(key, xla, time.monotonic() - begun, 1)
        return state, (size, *times)

    def _proceed(
        self, inputs: dict[str, Any], state: State, sentences: Any, key: tuple[int, ...], most_steps: int = ENDLESS
    ) -> tuple[State, Hypotheses]:
        xla = self.ways.is_xla(key)
        begun, index = time.monotonic(), int(state.index)
        numbers = tf.constant(sentences), tf.constant(rung_below(len(sentences))), tf.constant(most_steps)
        state, found = self._functions(inputs, xla)[1](state, *numbers)
        result = Hypotheses(*(part.numpy() for part in found))
        self.ways.record(key, xla, time.monotonic() - begun, int(state.index) - index)
        return state, result

    def _functions(self, inputs: dict[str, Any], xla: bool) -> tuple[Any, Any, Any]:
        """(begin, proceed, both for one sentence), traced for any number of rows and positions."""
        key = (form(inputs), xla)
        with self._lock:  # threads share what is traced
            if key not in self._traced:
                self._traced[key] = self._trace(inputs, xla)
            return self._traced[key]

    def _trace(self, inputs: dict[str, Any], xla: bool) -> tuple[Any, Any, Any]:
        def first(inputs: dict[str, Any], limits: Any, lines: Any, size: Any) -> State:
            views, stepper = self._stepper(inputs, xla)
            state = begin(self._search, stepper, inputs, size, limits, lines)
            return state._replace(prepared=[w.context.prepared for w in views])

        def proceed(state: State, sentences: Any, most_alive: Any, most_steps: Any) -> tuple[State, Hypotheses]:
            views, stepper = self._stepper(specs, xla)
            for w, prepared in zip(views, state.prepared, strict=True):
                w.context.prepared.update(prepared)
            state = follow(self._search, stepper, keep(state, self._search.rows, sentences), most_alive, most_steps)
            return state, self._search.found(state.own)

        def whole(inputs: dict[str, Any], limits: Any, lines: Any, size: Any) -> tuple[Any, Hypotheses]:
            views, stepper = self._stepper(inputs, xla)
            state = follow(self._search, stepper, begin(self._search, stepper, inputs, size, limits, lines))
            return state.index, self._search.found(state.own)

        specs = {name: tf.TensorSpec(shape, inputs[name].dtype) for name, shape in form(inputs)}
        vector, scalar = tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32)
        of_batch: dict[str, Any] = {"input_signature": [specs, vector, vector, scalar], "autograph": False, "jit_compile": xla}
        start, at_once = (tf.function(for_xla(function, xla), **of_batch) for function in (first, whole))
        state = tf.nest.map_structure(
            lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), start.get_concrete_function().structured_outputs
        )
        signature = [state, vector, scalar, scalar]
        return start, tf.function(for_xla(proceed, xla), input_signature=signature, autograph=False, jit_compile=xla), at_once

    def _stepper(self, inputs: dict[str, Any], xla: bool) -> tuple[list[Any], Any]:
        width = getattr(self._search, "shared_width", 1)
        views = [member.view(for_xla=xla, width=width) for member in self._members]
        return views, self._compose(views, inputs)


def times_of(inputs: dict[str, Any]) -> tuple[int, ...]:
    """The sizes of the inputs behind their rows, by which shapes are told apart."""
    return tuple(value.shape[1] for value in inputs.values() if value.ndim > 1)


def form(inputs: dict[str, Any]) -> tuple[tuple[str, tuple[int | None, ...]], ...]:
    """Names and shapes of the inputs as they are traced: rows and positions are free, sizes of shortlists are fixed."""
    return tuple(
        (name, (None, value.shape[1]) if name in (IDS, OWN) else (None,) * len(value.shape)) for name, value in sorted(inputs.items())
    )


def for_xla(function: Callable[..., Any], xla: bool) -> Callable[..., Any]:
    """The function, traced as XLA or plain graphs like it best."""

    def traced(*arguments: Any) -> Any:
        before = FOR_XLA.set(xla)
        try:
            return function(*arguments)
        finally:
            FOR_XLA.reset(before)

    return traced


def rung(rows: int) -> int:
    """The smallest of 1, 2, 3, 4, 6, 8, 12, 16, 24 ... that is at least `rows`."""
    power = 1 << (rows - 1).bit_length()
    return power * 3 // 4 if power >= 4 and rows <= power * 3 // 4 else power


def rung_below(rows: int) -> int:
    """The largest number of sentences for which a batch of `rows` should become smaller; 0 for one row."""
    return next((below for below in range(rows - 1, 0, -1) if rung(below) == below and below <= rows * 3 // 4), 0)
