"""A loop over the positions of a sequence, compiled once, in which layers draw and are looked at as outside of one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from seqcfg.layers.static_shape import with_static_shape
from seqcfg.layers.view import View
from seqcfg.lazy import tf

Step = Callable[..., tuple[dict[str, Any], Any]]


def scan(w: View, step: Step, inputs: dict[str, Any], state: Any, widths: dict[str, int]) -> tuple[dict[str, Any], Any]:
    """Outputs [batch, time, width] by name, and the last state; `widths` are those of the outputs.

    inputs: tensors [batch, time, ...] by name; step(w, {name: [batch, ...]}, state) -> ({name: [batch, width]}, state), where
    the view draws other random numbers at each position. What layers show of their attention, and the ranges that quantisation
    notes, are joined along time.
    """
    shape = next(iter(inputs.values())).shape
    time = tf.shape(next(iter(inputs.values())))[1]
    arrays = {name: tf.TensorArray(value.dtype, time).unstack(along_time(value)) for name, value in inputs.items()}
    rows = tf.nest.flatten(state)[0].shape[0]
    specs = {name: tf.TensorSpec([rows, width], w.context.dtype) for name, width in widths.items()}
    seen = _seen(w, step, {name: value[:, 0] for name, value in inputs.items()}, state)
    outputs = tuple(tf.TensorArray(spec.dtype, time, element_shape=spec.shape) for spec in [*specs.values(), *tf.nest.flatten(seen)])

    def body(index: Any, outputs: Any, state: Any) -> tuple[Any, ...]:
        inner = _at(w, index)
        made, new = step(inner, {name: array.read(index) for name, array in arrays.items()}, state)
        new = tf.nest.map_structure(lambda value, old: with_static_shape(value, old.shape), new, state)
        values = [*(made[name] for name in specs), *tf.nest.flatten(_looked(inner))]
        return index + 1, tuple(array.write(index, value) for array, value in zip(outputs, values, strict=True)), new

    _, outputs, state = tf.while_loop(lambda index, *_: index < time, body, (tf.constant(0), outputs, state), maximum_iterations=shape[1])
    stacked = [array.stack() for array in outputs]
    found = tf.nest.pack_sequence_as(seen, stacked[len(specs) :])
    if w.context.watched is not None:  # each [time, batch, heads, 1, source]
        w.context.watched |= {path: tf.transpose(value[:, :, :, 0], [1, 2, 0, 3]) for path, value in found["shown"].items()}
    if w.context.products is not None:
        w.context.products.after_loop(found["noted"])
    return {name: along_time(value) for name, value in zip(specs, stacked, strict=False)}, state


def along_time(x: Any) -> Any:
    """Swaps the first two axes, batch and time."""
    return tf.transpose(x, [1, 0, *range(2, x.shape.rank)])


def _at(w: View, index: Any) -> View:
    """The view at a position: with random numbers of its own, and nothing that would carry a tensor out of the loop."""
    seed = w.context.seed
    if seed is not None:
        mixed = tf.stack([tf.bitwise.bitwise_xor(seed[0], index), seed[1]])
        seed = tf.random.stateless_uniform([2], mixed, None, None, tf.int32, alg="philox")
    watched: dict[str, Any] | None = None if w.context.watched is None else {}
    products = None if w.context.products is None else w.context.products.inside_loop()
    return w.within(dataclasses.replace(w.context, seed=seed, watched=watched, observer=None, products=products))


def _looked(w: View) -> dict[str, dict[str, Any]]:
    """What a step has left in its view for who looks: attention by path, ranges of products by place."""
    products = w.context.products
    return {"shown": w.context.watched or {}, "noted": {} if products is None else products.noted}


def _seen(w: View, step: Step, inputs: dict[str, Any], state: Any) -> dict[str, Any]:
    """Specs of what is left to be looked at in one step, as `_looked` gives it; found by tracing a step where somebody looks."""
    if w.context.watched is None and w.context.products is None:
        return {"shown": {}, "noted": {}}

    def look() -> dict[str, Any]:
        inner = _at(w, tf.constant(0))
        step(inner, inputs, state)
        return _looked(inner)

    return tf.function(look, autograph=False).get_concrete_function().structured_outputs
