"""Long short-term memory along time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import PositiveFloat, PositiveInt
from seqcfg.initializers.constant import Ones
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.activation import activate
from seqcfg.layers.recurrent import native
from seqcfg.layers.recurrent.gates import clipped, normalized
from seqcfg.layers.recurrent.loop import Inside, Tensors
from seqcfg.layers.recurrent.recurrence import Recurrence
from seqcfg.layers.sequence import Sequence, refuse_packed
from seqcfg.lazy import tf


class LSTM(Recurrence, type="lstm"):
    """c' = f c + i tanh(g), m' = o tanh(c'), gates from kernels on input and m (Hochreiter & Schmidhuber 1997, Gers et al. 2000).

    Columns of the kernels are candidate g, input gate i, forget gate f, output gate o; coupled gates leave i out.
    A padded position keeps the state, and gives the held output.
    """

    units: PositiveInt = param(doc="Width of the cell.")
    projection: PositiveInt | None = param(default=None, doc="Width of a linear map of the output (arXiv:1402.1128); none when left out.")
    forget_bias: float = param(default=1.0, doc="Added to the forget gate before its sigmoid (Jozefowicz et al. 2015).")
    cell_cap: PositiveFloat | None = param(default=None, doc="Cell values are clipped to +- this; not clipped when left out.")
    output_activation: Literal["tanh", "none"] = param(default="tanh", doc="Applied to the cell before the output gate.")
    coupled: bool = param(default=False, doc="Whether the input gate is 1 - forget gate (arXiv:1503.04069).")
    use_bias: bool = param(default=True, doc="Whether a vector is added to the gates.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernels start; fans are of one gate.")
    norm: Literal["none", "layer", "weight"] = param(
        default="none",
        doc="What is normalised: nothing; the sums of each gate, before the bias (arXiv:1607.06450); each column of both kernels"
        " together (arXiv:1602.07868).",
        is_later=True,
    )
    norm_gain: Literal["direct", "one_plus"] = param(
        default="direct",
        doc="Whether a normalisation's factor is its weight, which starts at 1, or 1 plus it, starting at 0.",
        is_later=True,
    )
    norm_epsilon: PositiveFloat = param(default=1e-8, doc="Added to variances, or to sums of squares.", is_later=True)
    norm_cell: bool = param(
        default=False, doc="Whether the cell is layer-normalised on its way to the output, with a factor and a bias.", is_later=True
    )
    peephole: bool = param(default=False, doc="Whether gates see the cell, feature by feature (Gers et al. 2002).", is_later=True)
    input_projection: PositiveInt | None = param(
        default=None, doc="Width to which input and m are mapped before the map to the gates; none when left out.", is_later=True
    )
    kernels: Literal["separate", "joined"] = param(
        default="separate",
        doc="Whether the kernels on input and m are two weights, or one for the input above m, which starts with fans of all gates.",
        is_later=True,
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.norm_cell and self.norm != "layer":
            yield "norm_cell", "only layer normalisation is applied to the cell, too", "set norm: layer, or leave norm_cell out"
        if self.norm == "weight" and self.input_projection:
            yield "norm", "weight normalisation is for one pair of kernels", "leave input_projection out, or set norm: layer"

    def declare(self, d: Any, dim: int) -> int:
        out, units, gates = self.projection or self.units, self.units, self._gates * self.units
        start, axes = self.kernel_initializer, ("input", "output")
        width, fan = (self.input_projection, self.input_projection) if self.input_projection else (gates, units)
        if self.kernels == "joined":
            d.weight("kernel", (dim + out, width), start, axes=axes)
        else:
            d.weight("input_kernel", (dim, width), start, fans=(dim, fan), axes=axes)
            d.weight("recurrent_kernel", (out, width), start, fans=(out, fan), axes=axes)
        if self.input_projection:
            d.weight("gate_kernel", (width, gates), start, fans=(width, units), axes=axes)
        gain = Ones() if self.norm_gain == "direct" else None
        if self.norm != "none":
            d.weight("norm_scale", (gates,), gain, axes=("output",))
        if self.use_bias:
            d.weight("bias", (gates,), axes=("output",))
        if self.norm_cell:
            d.weight("cell_scale", (units,), gain, axes=("output",))
            d.weight("cell_bias", (units,), axes=("output",))
        for name in self._peepholes:
            d.weight(name, (units,), axes=("output",))
        if self.projection:
            d.weight("projection", (units, out), start, axes=axes)
        for name in ("input", "recurrent_kernel", *(one for one in ("gate_kernel", "projection") if one in d.weights)):
            d.product(name)
        return out

    def kept(self, d: Any, at: Any) -> float:
        """Of TensorFlow's operation the input, four gates, cell before and after its tanh, and output; kernels side by side."""
        if not self._is_plain:
            joined = at.inputs * self._gates * self.units if self.kernels == "joined" else 0  # its columns meet input and output
            return super().kept(d, at) + joined
        kernels = sum(weight.size for weight in d.weights.values())
        return at.inputs * (d.features_in + 7 * self.units) + 2 * kernels

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, dim] -> [batch, time, units or projection]."""
        if not self._is_native(w, x):
            return super().__call__(w, x)
        refuse_packed(x, f"{w.path}: a recurrence")
        bias = w.bias if self.use_bias else tf.zeros([self._gates * self.units])
        return x.with_values(native.lstm(x, *self._kernels(w), bias, self.forget_bias, self.cell_cap))

    def state_shapes(self, w: Any) -> dict[str, tuple[int, ...]]:
        return {"output": (self.projection or self.units,), "cell": (self.units,)}

    def project(self, w: Any, x: Sequence, state: Tensors) -> Tensors:
        bias = None if "bias" in self._added(w) or not self.use_bias else w.bias
        return {"gates": w.product(x.values, self._kernels(w)[0], bias, name="input")}

    def inside(self, w: Any) -> tuple[Tensors, Tensors]:
        names = ("gate_kernel", "projection")
        kernels = {"recurrent_kernel": self._kernels(w)[1]} | {name: getattr(w, name) for name in names if w.has(name)}
        return kernels, self._added(w)

    def advance(self, inside: Inside, position: Tensors, state: Tensors) -> Tensors:
        own, cell = inside.vectors, state["cell"]
        sums = position["sums"] if "sums" in position else position["gates"] + inside.times("recurrent_kernel", state["output"])
        if self.input_projection:
            sums = inside.times("gate_kernel", sums)
        if self.norm == "layer":
            sums = normalized(sums, self._gates, own["norm_scale"], self.norm_epsilon)
        gates = tf.split(tf.nn.bias_add(sums, own["bias"]) if "bias" in own else sums, self._gates, -1)
        seen = {name: own[name] * cell for name in self._peepholes[:-1]}
        keep = tf.sigmoid(gates[-2] + seen.get("peephole_forget", 0.0) + self.forget_bias)
        enter = 1 - keep if self.coupled else tf.sigmoid(gates[1] + seen.get("peephole_input", 0.0))
        cell = clipped(keep * cell + enter * tf.tanh(gates[0]), self.cell_cap)
        show = tf.sigmoid(gates[-1] + own["peephole_output"] * cell if self.peephole else gates[-1])
        shown = normalized(cell, 1, own["cell_scale"], self.norm_epsilon) + own["cell_bias"] if self.norm_cell else cell
        output = show * activate(self.output_activation, shown)
        return {"output": inside.times("projection", output) if self.projection else output, "cell": cell}

    def _added(self, w: Any) -> Tensors:
        """Vectors that the loop needs; a bias that is not added before is one of them."""
        names = ["bias"] if self.use_bias and (self.norm == "layer" or self.input_projection) else []
        found = {name: getattr(w, name) for name in [*names, *self._peepholes]}
        one = 0.0 if self.norm_gain == "direct" else 1.0
        found |= {"norm_scale": w.norm_scale + one} if self.norm == "layer" else {}
        return found | ({"cell_scale": w.cell_scale + one, "cell_bias": w.cell_bias} if self.norm_cell else {})

    def _kernels(self, w: Any) -> tuple[Any, Any]:
        """The kernels on input and output; weight normalisation has been applied."""
        out = self.projection or self.units
        both = (w.kernel[:-out], w.kernel[-out:]) if self.kernels == "joined" else (w.input_kernel, w.recurrent_kernel)
        if self.norm != "weight":
            return both
        squares = tf.add_n([tf.reduce_sum(tf.square(kernel), 0) for kernel in both])
        scale = (w.norm_scale + (0.0 if self.norm_gain == "direct" else 1.0)) * tf.math.rsqrt(squares + self.norm_epsilon)
        return both[0] * scale, both[1] * scale

    def _is_native(self, w: Any, x: Sequence) -> bool:
        """Whether TensorFlow has one operation for this cell: in training, where its memory pays; not under XLA, which lacks it."""
        is_here = w.training and not w.context.for_xla and w.context.products is None
        return is_here and self._is_plain and x.values.dtype == tf.float32

    @property
    def _is_plain(self) -> bool:
        is_usual = self.output_activation == "tanh" and self.norm != "layer" and not (self.coupled or self.peephole or self.zoneout)
        return is_usual and not (self.projection or self.input_projection)

    @property
    def _gates(self) -> int:
        return 3 if self.coupled else 4

    @property
    def _peepholes(self) -> list[str]:
        """Names of the weights, the output gate's last."""
        names = ["peephole_forget", "peephole_output"] if self.coupled else ["peephole_input", "peephole_forget", "peephole_output"]
        return names if self.peephole else []
