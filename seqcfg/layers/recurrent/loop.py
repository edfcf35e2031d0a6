"""The loop along time that all recurrent layers share, and its gradient.

The gradient is written out because the automatic one costs twice as much: it adds up the kernels' gradients position by position and
multiplies by transposed kernels in every turn. Here the turns going back keep what they multiplied, and each kernel's gradient is one
product after the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from seqcfg.layers.quantisation.products import Products
from seqcfg.layers.recurrent.kernels import input_gradient, kernel_gradient, times, turned
from seqcfg.lazy import tf

Tensors = dict[str, Any]
Multiply = Callable[[str, Any, Any], Any]


class Inside:
    """What a cell computes with at one position: vectors by name, and kernels, each of which it multiplies by once.

    multiply(name, x, kernel) takes the place of the plain product, where layers are rounded.
    """

    def __init__(self, kernels: Tensors, vectors: Tensors, multiply: Multiply | None = None):
        self._kernels, self.vectors, self._multiply = kernels, vectors, multiply
        self.products: Tensors = {}

    def times(self, name: str, x: Any) -> Any:
        """x times the kernel of this name."""
        kernel = self._kernels[name]
        self.products[name] = self._multiply(name, x, kernel) if self._multiply else times(x, kernel)
        return self.products[name]


class Recalled(Inside):
    """The inside of a position on the way back: products are those of the way there, and what was multiplied is kept."""

    def __init__(self, products: Tensors, turned_kernels: Tensors, vectors: Tensors):
        super().__init__(turned_kernels, vectors)
        self.products, self.multiplied = products, Tensors()

    def times(self, name: str, x: Any) -> Any:
        self.multiplied[name] = x

        @tf.custom_gradient
        def recall(x: Any, product: Any) -> Any:
            return tf.identity(product), lambda dy: (input_gradient(dy, self._kernels[name]), dy)

        return recall(x, self.products[name])


Advance = Callable[[Inside, Tensors, Tensors], Tensors]


class Places(NamedTuple):
    """What takes the place of multiplying by which kernels, {name: place}."""

    products: Products
    by_name: dict[str, str]

    def multiply(self, name: str, x: Any, kernel: Any) -> Any:
        return self.products.times(self.by_name[name], x, kernel, times) if name in self.by_name else times(x, kernel)

    def inside_loop(self) -> Places:
        return Places(self.products.inside_loop(), self.by_name)

    @property
    def noted(self) -> list[str]:
        """The places whose ranges leave a loop."""
        return [place for place in self.by_name.values() if self.products.notes(place)]


PLAIN = Places(Products(), {})


def scan(
    advance: Advance, kernels: Tensors, vectors: Tensors, scanned: Tensors, given: Tensors, state: Tensors, *, is_trained: bool
) -> tuple[Any, Tensors]:
    """Outputs [time, batch, ...] of all positions, and the last state.

    advance(inside, position, state) -> state with the same names, of which "output" is given out; a position holds one row per
    sequence of what is in `scanned` [time, batch, ...] and in `given`, through which no gradient flows.
    """
    if not is_trained:
        kept, last = _onward(advance, kernels, vectors, scanned | given, state, ["output"])
        return kept["output"], last
    groups = (kernels, vectors, scanned, state)

    @tf.custom_gradient
    def run(*tensors: Any) -> Any:
        kernels, vectors, scanned, state = tf.nest.pack_sequence_as(groups, tensors)
        kept, last = _onward(advance, kernels, vectors, scanned | given, state, [*state, *kernels])

        def gradient(d_output: Any, *d_last: Any) -> Any:
            d_state = tf.nest.pack_sequence_as(state, d_last)
            return tf.nest.flatten(_back(advance, kernels, vectors, scanned, given, state, kept, d_output, d_state))

        return (kept["output"], *tf.nest.flatten(last)), gradient

    output, *last = run(*tf.nest.flatten(groups))
    return output, tf.nest.pack_sequence_as(state, last)


def scan_among(places: Places, advance: Advance, kernels: Tensors, vectors: Tensors, steps: Tensors, state: Tensors) -> tuple[Any, Tensors]:
    """As `scan`, of kernels that the products of `places` have made ready; the gradient is TensorFlow's own."""
    kept, last = _onward(advance, kernels, vectors, steps, state, ["output"], places)
    places.products.after_loop({place: kept[place] for place in places.inside_loop().noted})
    return kept["output"], last


def _onward(
    advance: Advance, kernels: Tensors, vectors: Tensors, steps: Tensors, state: Tensors, kept: list[str], places: Places = PLAIN
) -> tuple[Tensors, Tensors]:
    """Stacks [time, batch, ...] of the states and products named in `kept`, and of what is noted; and the last state."""
    first = next(iter(steps.values()))
    arrays, time = _unstacked(steps), tf.shape(first)[0]
    rows = state["output"].shape[:-1]
    shapes = {
        name: state[name].shape if name in state else [*rows[: kernels[name].shape.rank - 1], kernels[name].shape[-1]] for name in kept
    }
    written = {name: tf.TensorArray(state["output"].dtype, time, element_shape=shape) for name, shape in shapes.items()}
    written |= {place: tf.TensorArray(tf.float32, time, element_shape=[4]) for place in places.inside_loop().noted}

    def body(index: Any, written: Any, state: Any) -> Any:
        inner = places.inside_loop()
        inside = Inside(kernels, vectors, inner.multiply)
        state = advance(inside, _read(arrays, index), state)
        made = state | inside.products | inner.products.noted
        return index + 1, {name: array.write(index, made[name]) for name, array in written.items()}, state

    _, written, state = tf.while_loop(
        lambda index, *_: index < time, body, (tf.constant(0), written, state), maximum_iterations=first.shape[0]
    )
    return {name: array.stack() for name, array in written.items()}, state


def _back(
    advance: Advance,
    kernels: Tensors,
    vectors: Tensors,
    scanned: Tensors,
    given: Tensors,
    state: Tensors,
    kept: Tensors,
    d_output: Any,
    d_state: Tensors,
) -> tuple[Tensors, Tensors, Tensors, Tensors]:
    """Gradients of kernels, vectors, what was scanned, and the first state."""
    backward = {name: turned(kernel) for name, kernel in kernels.items()}
    before = {name: tf.concat([value[tf.newaxis], kept[name][:-1]], 0) for name, value in state.items()}
    groups = {"given": given, "scanned": scanned, "before": before, "products": {name: kept[name] for name in kernels}}
    arrays = {group: _unstacked(values) for group, values in groups.items()} | {"output": _unstacked({"output": d_output})}
    time = tf.shape(d_output)[0]
    shapes = {f"d_{name}": value.shape[1:] for name, value in (scanned | groups["products"]).items()}
    shapes |= {f"x_{name}": [*kept["output"].shape[1:-1], kernel.shape[-2]] for name, kernel in kernels.items()}
    written = {name: tf.TensorArray(d_output.dtype, time, element_shape=shape) for name, shape in shapes.items()}

    def body(left: Any, written: Any, d_state: Any, d_vectors: Any) -> Any:
        at = {group: _read(values, left - 1) for group, values in arrays.items()}
        d_new = d_state | {"output": d_state["output"] + at["output"]["output"]}
        values, d_before, d_own = _gradients_at(advance, at, backward, vectors, d_new)
        written = {name: array.write(left - 1, values[name]) for name, array in written.items()}
        return left - 1, written, d_before, {name: value + d_own[name] for name, value in d_vectors.items()}

    start = (time, written, d_state, {name: tf.zeros_like(vector) for name, vector in vectors.items()})
    _, written, d_state, d_vectors = tf.while_loop(lambda left, *_: left > 0, body, start)
    stacked = {name: array.stack() for name, array in written.items()}
    d_kernels = {name: kernel_gradient(stacked[f"x_{name}"], stacked[f"d_{name}"], kernel) for name, kernel in kernels.items()}
    return d_kernels, d_vectors, {name: stacked[f"d_{name}"] for name in scanned}, d_state


def _gradients_at(
    advance: Advance, at: dict[str, Tensors], backward: Tensors, vectors: Tensors, d_new: Tensors
) -> tuple[Tensors, Tensors, Tensors]:
    """Of one position: what kernels multiplied, with gradients of products and of what was scanned; gradients of state and vectors."""
    sources = (at["scanned"], at["before"], vectors, at["products"])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(sources)
        inside = Recalled(at["products"], backward, vectors)
        new = advance(inside, at["scanned"] | at["given"], at["before"])
    targets, found = [new[name] for name in new], [d_new[name] for name in new]
    d_step, d_before, d_own, d_products = tape.gradient(targets, sources, found, tf.UnconnectedGradients.ZERO)
    values = {f"d_{name}": value for name, value in (d_step | d_products).items()}
    return values | {f"x_{name}": value for name, value in inside.multiplied.items()}, d_before, d_own


def _unstacked(values: Tensors) -> Tensors:
    return {name: tf.TensorArray(value.dtype, tf.shape(value)[0]).unstack(value) for name, value in values.items()}


def _read(arrays: Tensors, index: Any) -> Tensors:
    return {name: array.read(index) for name, array in arrays.items()}


def time_major(x: Any) -> Any:
    """Swaps the first two axes."""
    if x.dtype == tf.bool:  # oneDNN complains of transposed truth values on processors without AVX-512
        return tf.cast(time_major(tf.cast(x, tf.uint8)), tf.bool)
    return tf.transpose(x, [1, 0, *range(2, x.shape.rank)])
