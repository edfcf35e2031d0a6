"""The one place that knows DTensor: tensors, variables and functions on a mesh of devices."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from seqcfg.distribution.devices import Devices
from seqcfg.errors import UserError
from seqcfg.lazy import np, tf


@contextlib.contextmanager
def _without_rewriting() -> Iterator[None]:
    """Leaves graphs as they are: to rewrite those of a mesh, once per device, takes five times as long as to compile them."""
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options(before | {"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False} | before)


BATCH, MODEL = "batch", "model"


class OnMesh(Devices):
    """Devices that hold parts of one state and compute parts of one update; it reads like that of a single device."""

    def __init__(self, batch: int, model: int):
        self._rows = batch
        self._dtensor = tf.experimental.dtensor
        names = [f"CPU:{index}" for index in range(batch * model)]
        self._mesh = self._dtensor.create_mesh([(BATCH, batch), (MODEL, model)], devices=names)

    def variable(self, value: Any, axis: int | None) -> Any:
        """A variable of which each device of a group holds an equal part along `axis`, or a copy."""
        return self._dtensor.DVariable(self._placed(tf.convert_to_tensor(value), axis, MODEL), trainable=False)

    def assign(self, variable: Any, value: Any) -> None:
        """Sets a variable to a value of the host."""
        spread = self._dtensor.relayout(self._copied(tf.convert_to_tensor(value)), variable.layout)
        with self._dtensor.default_mesh(self._mesh):
            variable.assign(spread)

    def constant(self, value: Any) -> Any:
        """A value of which every device has a copy."""
        return self._copied(tf.convert_to_tensor(value))

    def rows(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A batch of the host with its rows divided among the groups; rows of padding fill it up where they do not come out even."""
        return {name: self._placed(tf.constant(self._filled(np.asarray(value))), 0, BATCH) for name, value in batch.items()}

    def whole(self, value: Any) -> Any:
        """The value of a tensor or variable here, as a tensor of the host."""
        read = value.read_value() if hasattr(value, "read_value") else value
        return self._dtensor.unpack(self._dtensor.relayout(read, self._copies(read.shape.rank)))[0]

    def same(self, value: Any) -> Any:
        """Inside a function: makes every device compute all of this tensor, so that random numbers are those of one device."""
        return self._dtensor.relayout(value, self._copies(value.shape.rank))

    def once(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        """`compute` itself: DTensor has no rule for functions that are not inlined."""
        return compute

    def function(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        """`compute` as a graph on the mesh, one per shape of its arguments, which are tensors here.

        Raises UserError where DTensor has no rule for an operation.
        """
        traced: dict[Any, Any] = {}

        def call(*arguments: Any) -> Any:
            shapes = tuple(value.shape for value in tf.nest.flatten(arguments))
            if shapes not in traced:  # a partial of its own for each, or TensorFlow would warn of many traces of one function
                traced[shapes] = tf.function(functools.partial(compute), autograph=False)
            try:
                with self._dtensor.default_mesh(self._mesh), _without_rewriting():
                    return traced[shapes](*arguments)
            except tf.errors.UnknownError as failure:
                lines = [line for line in str(failure).splitlines() if "error:" in line] or str(failure).splitlines()
                reason = lines[0].partition("error:")[2].strip() or lines[0]
                raise UserError(
                    f"training.strategy: the mesh cannot divide this model: {reason}",
                    hint="keep copies of the layer's weights with training.strategy.rules, or use {type: mirrored}",
                ) from None

        return call

    def like(self, value: Any, variable: Any) -> Any:
        """Inside a function: the value divided as a variable of its shape is."""
        return self._dtensor.relayout(value, variable.layout)

    def _filled(self, value: Any) -> Any:
        missing = -len(value) % self._rows
        return np.pad(value, [(0, missing), *[(0, 0)] * (value.ndim - 1)]) if missing else value

    def _copies(self, rank: int) -> Any:
        return self._dtensor.Layout.replicated(self._mesh, rank)

    def _copied(self, value: Any) -> Any:
        return self._dtensor.copy_to_mesh(value, self._copies(value.shape.rank))

    def _placed(self, value: Any, axis: int | None, along: str) -> Any:
        if axis is None:
            return self._copied(value)
        specs = [along if place == axis else self._dtensor.UNSHARDED for place in range(value.shape.rank)]
        return self._dtensor.relayout(self._copied(value), self._dtensor.Layout(specs, self._mesh))
