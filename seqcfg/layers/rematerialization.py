"""Layers whose inner results are computed again for the gradient instead of being kept (arXiv:1604.06174)."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
from collections.abc import Callable, Iterator
from typing import Any

from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


def matches(patterns: tuple[str, ...], path: str) -> bool:
    """Whether the layer of this path is to be rematerialised."""
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def rematerialized(layer: Callable[..., Any], weights: dict[str, Any], context: Any, arguments: tuple[Any, dict[str, Any]]) -> Any:
    """layer(weights, args, named) for arguments = (args, named), of which only arguments, weights and results are kept.

    weights {path: tensor}, arguments and result may hold Sequences. The layer draws the same noise both times. In
    the graph its second pass waits for the gradient of its result, so that it is neither merged with the first nor done early.
    """
    tensors, rebuild = _flatten(arguments)
    draws = dict(context.draws)
    build_result: list[Callable[[list[Any]], Any]] = []

    def compute(inputs: Any) -> list[Any]:
        args, named = rebuild(list(inputs[: len(tensors)]))
        with _once(context):
            results, build = _flatten(layer(dict(zip(weights, inputs[len(tensors) :], strict=True)), args, named))
        build_result[:] = [build]
        return results

    @tf.custom_gradient
    def block(*inputs: Any) -> Any:
        results = compute(inputs)

        def gradient(*upstream: Any) -> list[Any]:
            with tf.control_dependencies([one for one in upstream if one is not None]):
                again = [tf.identity(one) for one in inputs]
            kept = dict(context.draws), dict(context.updates)  # of later layers, too
            context.draws = dict(draws)
            watched = [one for one in again if one.dtype.is_floating]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(watched)
                pairs = [(y, dy) for y, dy in zip(compute(again), upstream, strict=True) if y.dtype.is_floating]
            context.draws, context.updates = kept
            found = tape.gradient([y for y, _ in pairs], watched, output_gradients=[dy for _, dy in pairs])
            by_input = dict(zip(map(id, watched), found, strict=True))
            return [by_input.get(id(one)) for one in again]

        return results, gradient

    results = block(*tensors, *weights.values())
    return build_result[0](list(results) if isinstance(results, list | tuple) else [results])


@contextlib.contextmanager
def _once(context: Any) -> Iterator[None]:
    """Layers inside are not computed again each for itself: that would multiply the work by how deep they stand."""
    patterns, context.rematerialized = context.rematerialized, ()
    yield
    context.rematerialized = patterns


def _flatten(value: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """(the tensors in a value, a function that puts others in their places)."""
    if tf.is_tensor(value):
        return [value], lambda tensors: tensors[0]
    if isinstance(value, Sequence):
        names = [field.name for field in dataclasses.fields(value)]
        tensors, build = _flatten([getattr(value, name) for name in names])
        return tensors, lambda tensors: Sequence(**dict(zip(names, build(tensors), strict=True)))
    if isinstance(value, dict):
        tensors, build = _flatten(list(value.values()))
        return tensors, lambda tensors: dict(zip(value, build(tensors), strict=True))
    if isinstance(value, list | tuple):
        parts = [_flatten(one) for one in value]

        def rebuild(tensors: list[Any]) -> Any:
            rest = iter(tensors)
            return type(value)([build([next(rest) for _ in found]) for found, build in parts])

        return [one for found, _ in parts for one in found], rebuild
    return [], lambda _: value
