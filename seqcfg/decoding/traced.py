"""A search as traced functions, for inputs of one form: of a sentence, of a batch, and of one step after the other."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from seqcfg.decoding.best_tokens import FOR_XLA
from seqcfg.decoding.loop import State, begin, follow, follow_alive, follow_by_quarters
from seqcfg.decoding.member import Member
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.lazy import tf

ROOM = 16  # positions that caches have at first, and by which they grow, in batches of plain graphs


class Traced:
    """Each function is traced when it is first called, for any number of rows and positions.

    They take inputs as `specs` say {name: tensor [rows, ...]}, limits and lines [rows] and the size of the buffers.
    """

    def __init__(self, search: Any, members: list[Member], compose: Callable[..., Any], specs: dict[str, Any], xla: bool):
        self._search, self._members, self._compose, self._specs, self._xla = search, members, compose, specs, xla

    @functools.cached_property
    def one(self) -> Any:
        """(steps taken, hypotheses) of one sentence, which no batch can shrink."""

        def whole(inputs: dict[str, Any], limits: Any, lines: Any, size: Any) -> tuple[Any, Hypotheses]:
            _, stepper = self._stepper(inputs)
            state = follow(self._search, stepper, begin(self._search, stepper, inputs, size, limits, lines))
            return state.index, self._search.found(state.own)

        return self._of_batch(whole)

    @functools.cached_property
    def batch(self) -> Any:
        """(steps taken, hypotheses) of many sentences, which leave when they are over."""

        def whole(inputs: dict[str, Any], limits: Any, lines: Any, size: Any) -> tuple[Any, Hypotheses]:
            room = None if self._xla else tf.constant(ROOM)
            _, stepper = self._stepper(inputs, room)
            state = begin(self._search, stepper, inputs, size, limits, lines)
            if self._xla:
                index, own = follow_by_quarters(self._search, stepper, state)
            else:
                index, own = follow_alive(self._search, stepper, state, room)
            return index, self._search.found(own)

        return self._of_batch(whole)

    @functools.cached_property
    def begin(self) -> Any:
        """The state before the first step."""

        def first(inputs: dict[str, Any], limits: Any, lines: Any, size: Any) -> State:
            views, stepper = self._stepper(inputs)
            state = begin(self._search, stepper, inputs, size, limits, lines)
            return state._replace(prepared=[w.context.prepared for w in views])

        return self._of_batch(first)

    @functools.cached_property
    def step(self) -> Any:
        """A state -> (the state one step later, the hypotheses there)."""

        def proceed(state: State) -> tuple[State, Hypotheses]:
            views, stepper = self._stepper(self._specs)
            for w, prepared in zip(views, state.prepared, strict=True):
                w.context.prepared.update(prepared)
            state = follow(self._search, stepper, state, most_steps=1)
            return state, self._search.found(state.own)

        state = tf.nest.map_structure(
            lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), self.begin.get_concrete_function().structured_outputs
        )
        return self._function(proceed, [state])

    def _of_batch(self, function: Callable[..., Any]) -> Any:
        vector = tf.TensorSpec([None], tf.int32)
        return self._function(function, [self._specs, vector, vector, tf.TensorSpec([], tf.int32)])

    def _function(self, function: Callable[..., Any], signature: list[Any]) -> Any:
        """Traced as XLA or plain graphs like it best."""

        def traced(*arguments: Any) -> Any:
            before = FOR_XLA.set(self._xla)
            try:
                return function(*arguments)
            finally:
                FOR_XLA.reset(before)

        return tf.function(traced, input_signature=signature, autograph=False, jit_compile=self._xla)

    def _stepper(self, inputs: dict[str, Any], room: Any = None) -> tuple[list[Any], Any]:
        width = getattr(self._search, "shared_width", 1)
        views = [member.view(for_xla=self._xla, width=width, room=room) for member in self._members]
        return views, self._compose(views, inputs)
