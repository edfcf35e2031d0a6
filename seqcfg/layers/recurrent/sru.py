"""Simple recurrent units along time: nothing but the cell waits for the position before."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import PositiveFloat, PositiveInt
from seqcfg.initializers.constant import Ones
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.activation import activate
from seqcfg.layers.dense import affine
from seqcfg.layers.recurrent.gates import clipped, normalized
from seqcfg.layers.recurrent.loop import Inside, Tensors
from seqcfg.layers.recurrent.recurrence import Recurrence
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class SRU(Recurrence, type="sru"):
    """c' = f c + (1 - f) z, m' = r tanh(c') + (1 - r) y; z, y and the sums of the gates f and r are maps of x (arXiv:1709.02755).

    Columns of the kernel are z, y, input gate (unless coupled), f, r; the bias leaves z out unless `candidate_bias`.
    A padded position keeps the state, and gives the held output.
    """

    units: PositiveInt = param(doc="Width of the cell.")
    projection: PositiveInt | None = param(default=None, doc="Width of a linear map of the output; none when left out.")
    coupled: bool = param(default=True, doc="Whether the input gate is 1 - forget gate.")
    highway: Literal["mapped", "input"] = param(default="mapped", doc="Whether y is a map of x, or x itself, of the cell's width.")
    highway_scale: PositiveFloat = param(default=1.0, doc="Factor on y; the paper's alpha is sqrt(1 + 2 exp(start of the bias)).")
    output_activation: Literal["tanh", "none"] = param(default="tanh", doc="Applied to the cell before the gate r.")
    peephole: bool = param(default=False, doc="Whether gates see the cell before them, feature by feature.")
    cell_cap: PositiveFloat | None = param(default=None, doc="Cell values are clipped to +- this; not clipped when left out.")
    use_bias: bool = param(default=True, doc="Whether a vector is added to y and the gates.")
    candidate_bias: bool = param(default=False, doc="Whether that vector has a part for z, too.")
    norm: Literal["none", "layer"] = param(
        default="none", doc="Whether the sums of each gate, before the bias, and the cell are layer-normalised."
    )
    norm_gain: Literal["direct", "one_plus"] = param(
        default="direct", doc="Whether a normalisation's factor is its weight, which starts at 1, or 1 plus it, starting at 0."
    )
    norm_epsilon: PositiveFloat = param(default=1e-8, doc="Added to variances.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernel starts; fans are of one block.")

    def declare(self, d: Any, dim: int) -> int:
        units, out, gates = self.units, self.projection or self.units, self._gates
        if self.highway == "input" and dim != units:
            raise d.misfit(
                f"the input's width {dim} is not that of the cell, {units}", "make both equal, or map it: highway: mapped", "highway"
            )
        blocks = len(gates) + self._ungated
        d.weight("kernel", (dim, blocks * units), self.kernel_initializer, fans=(dim, units), axes=("input", "output"))
        if self.use_bias:
            d.weight("bias", ((blocks - (not self.candidate_bias)) * units,), axes=("output",))
        if self.norm == "layer":
            start = Ones() if self.norm_gain == "direct" else None
            d.weight("norm_scale", ((len(gates) + 1) * units,), start, axes=("output",))
        if self.peephole:
            d.weight("peephole", (len(gates) * units,), self.kernel_initializer, fans=(units, units), axes=("output",))
        if self.projection:
            d.weight("projection", (units, out), self.kernel_initializer, axes=("input", "output"))
        return out

    def state_shapes(self, w: Any) -> dict[str, tuple[int, ...]]:
        return {"output": (self.projection or self.units,), "cell": (self.units,)}

    def project(self, w: Any, x: Sequence, state: Tensors) -> Tensors:
        width = self._ungated * self.units
        sums, bias = affine(x.values, w.kernel), self._bias(w)
        free = sums[..., :width] + bias[:width]
        gates = sums[..., width:] + (bias[width:] if self.norm == "none" else 0.0)
        highway = x.values if self.highway == "input" else free[..., self.units :]
        return {"candidate": free[..., : self.units], "highway": highway, "gates": gates}

    def inside(self, w: Any) -> tuple[Tensors, Tensors]:
        vectors = {"peephole": w.peephole} if self.peephole else {}
        if self.norm == "layer":
            vectors |= {"norm_scale": w.norm_scale + (0.0 if self.norm_gain == "direct" else 1.0)}
            vectors |= {"bias": w.bias[-len(self._gates) * self.units :]} if self.use_bias else {}
        return {"projection": w.projection} if self.projection else {}, vectors

    def advance(self, inside: Inside, position: Tensors, state: Tensors) -> Tensors:
        own, gates, count = inside.vectors, position["gates"], len(self._gates)
        if self.peephole:
            gates += tf.tile(state["cell"], [1, count]) * own["peephole"]
        if self.norm == "layer":
            gates = normalized(gates, count, own["norm_scale"][: count * self.units], self.norm_epsilon)
            gates = gates + own["bias"] if "bias" in own else gates
        *enter, keep, show = tf.split(tf.sigmoid(gates), count, -1)
        cell = keep * state["cell"] + (enter[0] if enter else 1 - keep) * position["candidate"]
        if self.norm == "layer":
            cell = normalized(cell, 1, own["norm_scale"][count * self.units :], self.norm_epsilon)
        cell = clipped(cell, self.cell_cap)
        output = show * activate(self.output_activation, cell) + (1 - show) * self.highway_scale * position["highway"]
        return {"output": inside.times("projection", output) if self.projection else output, "cell": cell}

    def _bias(self, w: Any) -> Any:
        """One number per column of the kernel."""
        if not self.use_bias:
            return tf.zeros([w.kernel.shape[1]], w.kernel.dtype)
        return w.bias if self.candidate_bias else tf.pad(w.bias, [[self.units, 0]])

    @property
    def _gates(self) -> list[str]:
        return ["forget", "reset"] if self.coupled else ["input", "forget", "reset"]

    @property
    def _ungated(self) -> int:
        """How many blocks of columns come before the gates."""
        return 2 if self.highway == "mapped" else 1
