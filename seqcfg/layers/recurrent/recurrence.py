"""What recurrent layers have in common: a state, held where a position is padding, that one position changes into the next."""

from __future__ import annotations

import functools
from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import SequenceLayer
from seqcfg.component.types import Probability
from seqcfg.layers.dropout import keep_factors
from seqcfg.layers.recurrent.loop import PLAIN, Inside, Places, Tensors, scan, scan_among, time_major
from seqcfg.layers.sequence import Sequence, refuse_packed
from seqcfg.lazy import tf


class Recurrence(SequenceLayer):
    """A layer that reads one position after the other. A padded position keeps the state, and gives the held output.

    A member says how wide its state is (`state_shapes`), what the inputs give for all positions at once, before the loop
    (`project`), which weights the loop needs (`inside`), and how one position changes the state (`advance`).
    """

    respects_segments = False

    zoneout: Probability = param(default=0.0, doc="Probability that a state keeps its value (arXiv:1606.01305); the mean outside training.")

    def state_shapes(self, w: Any) -> dict[str, tuple[int, ...]]:
        """Axes after the batch of each part of the state; "output" is what the layer gives out."""
        raise TypeError(f"{type(self).__name__} defines no state_shapes")

    def project(self, w: Any, x: Sequence, state: Tensors) -> Tensors:
        """[batch, time, ...] by name: what positions give to `advance`."""
        raise TypeError(f"{type(self).__name__} defines no project")

    def inside(self, w: Any) -> tuple[Tensors, Tensors]:
        """Kernels and vectors that `advance` uses."""
        return {}, {}

    def advance(self, inside: Inside, position: Tensors, state: Tensors) -> Tensors:
        """The next state, before zoneout and padding."""
        raise TypeError(f"{type(self).__name__} defines no advance")

    def kept(self, d: Any, at: Any) -> float:
        """The input, what kernels make of it and of the state, and the state with what is given out."""
        made = sum(weight.shape[-1] for weight in d.weights.values() if len(weight.shape) > 1)
        return at.inputs * (d.features_in + made + 2 * d.features_out)

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, ...] -> [batch, time, ...] of the width of the output."""
        refuse_packed(x, f"{w.path}: a recurrence")
        return x.with_values(self.run(w, x, self.zero_state(w, tf.shape(x.values)[0]))[0])

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        return {}, self.zero_state(w, tf.shape(sequence.values)[0])

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """Any number of positions at a time."""
        values, moving = self.run(w, x, moving)
        return x.with_values(values), moving

    def zero_state(self, w: Any, rows: Any) -> Tensors:
        return {name: tf.zeros([rows, *shape], w.context.dtype) for name, shape in self.state_shapes(w).items()}

    def run(self, w: Any, x: Sequence, state: Tensors) -> tuple[Any, Tensors]:
        """Outputs [batch, time, ...] and the last state, from a state of `state_shapes`."""
        scanned = {name: time_major(value) for name, value in self.project(w, x, state).items()}
        given = {} if x.mask is None else {"real": time_major(x.mask)}
        if self.zoneout and w.training:
            given |= {f"stay_{name}": self._draw(w, x, value) for name, value in sorted(state.items())}
        kernels, vectors = self.inside(w)
        advance = functools.partial(self._advance, is_drawn=bool(self.zoneout and w.training))
        places = self._places(w, kernels)
        kernels |= {name: places.products.kernel(place, kernels[name]) for name, place in places.by_name.items()}
        if x.values.shape[1] == 1:
            inside = Inside(kernels, vectors, places.multiply)
            state = advance(inside, {name: value[0] for name, value in (scanned | given).items()}, state)
            return state["output"][:, tf.newaxis], state
        if places.by_name:
            outputs, state = scan_among(places, advance, kernels, vectors, scanned | given, state)
        else:
            outputs, state = scan(advance, kernels, vectors, scanned, given, state, is_trained=w.training)
        return time_major(outputs), state

    def _places(self, w: Any, kernels: Tensors) -> Places:
        """The kernels whose products were declared, and what takes their place."""
        products = w.context.products
        return PLAIN if products is None else Places(products, {name: w.place(name) for name in kernels if w.multiplies(name)})

    def _advance(self, inside: Inside, position: Tensors, state: Tensors, *, is_drawn: bool) -> Tensors:
        new = self.advance(inside, position, state)
        if self.zoneout:
            for name, value in new.items():
                stay = position[f"stay_{name}"] if is_drawn else tf.cast(self.zoneout, value.dtype)
                new[name] = stay * state[name] + (1 - stay) * value
        if "real" not in position:
            return new
        real = position["real"]
        return {name: tf.where(tf.reshape(real, [-1] + [1] * (v.shape.rank - 1)), v, state[name]) for name, v in new.items()}

    def _draw(self, w: Any, x: Sequence, like: Any) -> Any:
        """[time, batch, ...], 1 where a state keeps its value."""
        rows, time = tf.unstack(tf.shape(x.values)[:2])
        kept = keep_factors([time, rows, *like.shape[1:]], 1 - self.zoneout, w.seed(), x.values.dtype)
        return tf.cast(kept > 0, x.values.dtype)
