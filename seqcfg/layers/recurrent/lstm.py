"""Long short-term memory along time."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer, SequenceLayer
from seqcfg.component.types import PositiveFloat, PositiveInt, Probability
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.activation import activate
from seqcfg.layers.dense import affine
from seqcfg.layers.dropout import keep_factors
from seqcfg.layers.sequence import Sequence, refuse_packed
from seqcfg.lazy import tf


class LSTM(SequenceLayer, type="lstm"):
    """c' = f c + i tanh(g), m' = o tanh(c'), gates from kernels on input and m (Hochreiter & Schmidhuber 1997, Gers et al. 2000).

    Columns of the kernels are candidate g, input gate i, forget gate f, output gate o; coupled gates leave i out.
    A padded position keeps the state, and gives the held output.
    """

    respects_segments = False

    units: PositiveInt = param(doc="Width of the cell.")
    projection: PositiveInt | None = param(default=None, doc="Width of a linear map of the output (arXiv:1402.1128); none when left out.")
    forget_bias: float = param(default=1.0, doc="Added to the forget gate before its sigmoid (Jozefowicz et al. 2015).")
    cell_cap: PositiveFloat | None = param(default=None, doc="Cell values are clipped to +- this; not clipped when left out.")
    output_activation: Literal["tanh", "none"] = param(default="tanh", doc="Applied to the cell before the output gate.")
    coupled: bool = param(default=False, doc="Whether the input gate is 1 - forget gate (arXiv:1503.04069).")
    zoneout: Probability = param(default=0.0, doc="Probability that a state keeps its value (arXiv:1606.01305); the mean outside training.")
    use_bias: bool = param(default=True, doc="Whether a vector is added to the gates.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernels start; fans are of one gate.")

    def declare(self, d: Any, dim: int) -> int:
        out, gates = self.projection or self.units, self._gates * self.units
        d.weight("input_kernel", (dim, gates), self.kernel_initializer, fans=(dim, self.units), axes=("input", "output"))
        d.weight("recurrent_kernel", (out, gates), self.kernel_initializer, fans=(out, self.units), axes=("input", "output"))
        if self.use_bias:
            d.weight("bias", (gates,), axes=("output",))
        if self.projection:
            d.weight("projection", (self.units, out), self.kernel_initializer, axes=("input", "output"))
        return out

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time, units or projection]."""
        refuse_packed(x, f"{w.path}: a recurrence")
        values, _ = self.run(w, x, self._zero_state(w, tf.shape(x.values)[0]))
        return x.with_values(values)

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        return {}, self._zero_state(w, tf.shape(sequence.values)[0])

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """Any number of positions at a time."""
        values, moving = self.run(w, x, moving)
        return x.with_values(values), moving

    def run(self, w: Any, x: Sequence, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Outputs [batch, time, out] and the last state, from a state {"output": [batch, out], "cell": [batch, units]}.

        The input's share of the gates is one product for all positions, before the loop.
        """
        scanned = {"gates": time_major(affine(x.values, w.input_kernel, w.bias if self.use_bias else None))}
        if x.mask is not None:
            scanned["real"] = time_major(x.mask)[..., tf.newaxis]
        if self.zoneout and w.training:
            scanned |= {f"keep_{name}": self._draw(w, x, width.shape[-1]) for name, width in sorted(state.items())}
        maps = {name: getattr(w, name) for name in ("recurrent_kernel", "projection") if w.has(name)}
        if x.values.shape[1] == 1:
            state = self._advance(maps, {name: steps[0] for name, steps in scanned.items()}, state)
            return state["output"][:, tf.newaxis], state
        return self._loop(maps, scanned, state)

    def _loop(self, maps: dict[str, Any], scanned: dict[str, Any], state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        time = tf.shape(scanned["gates"])[0]
        static_time = scanned["gates"].shape[0]
        steps = {name: tf.TensorArray(value.dtype, time).unstack(value) for name, value in scanned.items()}
        outputs = tf.TensorArray(state["output"].dtype, time, element_shape=state["output"].shape)

        def body(index, outputs, state):
            state = self._advance(maps, {name: array.read(index) for name, array in steps.items()}, state)
            return index + 1, outputs.write(index, state["output"]), state

        _, outputs, state = tf.while_loop(
            lambda index, *_: index < time, body, (tf.constant(0), outputs, state), maximum_iterations=static_time
        )
        return time_major(outputs.stack()), state

    def _advance(self, maps: dict[str, Any], step: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
        """One position: the input's share of the gates [batch, gates], and what is known of the position, to the next state."""
        gates = tf.split(step["gates"] + tf.matmul(state["output"], maps["recurrent_kernel"]), self._gates, -1)
        keep = tf.sigmoid(gates[-2] + self.forget_bias)
        enter = 1 - keep if self.coupled else tf.sigmoid(gates[1])
        cell = keep * state["cell"] + enter * tf.tanh(gates[0])
        if self.cell_cap is not None:
            cell = tf.clip_by_value(cell, -self.cell_cap, self.cell_cap)
        output = tf.sigmoid(gates[-1]) * activate(self.output_activation, cell)
        if self.projection:
            output = tf.matmul(output, maps["projection"])
        new = {"output": output, "cell": cell}
        if self.zoneout:
            stay = {name: step.get(f"keep_{name}", tf.cast(self.zoneout, output.dtype)) for name in new}
            new = {name: stay[name] * state[name] + (1 - stay[name]) * value for name, value in new.items()}
        if "real" in step:
            new = {name: tf.where(step["real"], value, state[name]) for name, value in new.items()}
        return new

    def _draw(self, w: Any, x: Sequence, width: int) -> Any:
        """[time, batch, width], 1 where a state keeps its value."""
        shape = tf.shape(x.values)
        kept = keep_factors([shape[1], shape[0], width], 1 - self.zoneout, w.seed(), x.values.dtype)
        return tf.cast(kept > 0, x.values.dtype)

    @property
    def _gates(self) -> int:
        return 3 if self.coupled else 4

    def _zero_state(self, w: Any, rows: Any) -> dict[str, Any]:
        out = self.projection or self.units
        return {"output": tf.zeros([rows, out], w.context.dtype), "cell": tf.zeros([rows, self.units], w.context.dtype)}


def time_major(x: Any) -> Any:
    """Swaps the first two axes."""
    return tf.transpose(x, [1, 0, *range(2, x.shape.rank)])
