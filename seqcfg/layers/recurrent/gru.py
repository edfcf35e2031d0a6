"""Gated recurrent units along time."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import PositiveFloat, PositiveInt
from seqcfg.initializers.constant import Ones
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.dense import affine
from seqcfg.layers.recurrent.gates import clipped, normalized
from seqcfg.layers.recurrent.loop import Inside, Tensors
from seqcfg.layers.recurrent.recurrence import Recurrence
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class GRU(Recurrence, type="gru"):
    """m' = u m + (1 - u) n with u = sigmoid(W_u x + U_u m), n = tanh(W_n x + U_n (r m)), r like u (Cho et al. 2014, arXiv:1406.1078).

    Columns of the input's kernel are candidate n, update gate u, reset gate r; those of `gate_kernel`, on m, are u and r.
    A padded position keeps the state, and gives the held output.
    """

    units: PositiveInt = param(doc="Width of the cell.")
    projection: PositiveInt | None = param(default=None, doc="Width of an affine map of the cell, which is then m; none when left out.")
    reset: Literal["before", "after"] = param(
        default="before",
        doc="Whether r multiplies m before the map U_n, or its result and a bias of its own, as cuDNN, PyTorch and Keras do.",
    )
    update: Literal["keeps", "replaces"] = param(
        default="keeps", doc="Whether u is the share of the old cell, or that of the candidate (as in arXiv:1412.3555 and Lingvo)."
    )
    cell_cap: PositiveFloat | None = param(default=None, doc="Cell values are clipped to +- this; not clipped when left out.")
    use_bias: bool = param(default=True, doc="Whether a vector is added to the gates.")
    norm: Literal["none", "layer"] = param(default="none", doc="Whether the sums of each gate are layer-normalised, before the bias.")
    norm_gain: Literal["direct", "one_plus"] = param(
        default="direct", doc="Whether the normalisation's factor is its weight, which starts at 1, or 1 plus it, starting at 0."
    )
    norm_epsilon: PositiveFloat = param(default=1e-8, doc="Added to variances.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernels start; fans are of one gate.")

    def declare(self, d: Any, dim: int) -> int:
        out, units, (reset, *_), start = self.projection or self.units, self.units, self._widths[::-1], self.kernel_initializer
        axes, total = ("input", "output"), sum(self._widths)
        d.weight("input_kernel", (dim, total), start, fans=(dim, units), axes=axes)
        d.weight("gate_kernel", (out, units + reset), start, fans=(out, units), axes=axes)
        d.weight("candidate_kernel", (out, units), start, axes=axes)
        if self.use_bias:
            d.weight("bias", (total,), axes=("output",))
            if self.reset == "after":
                d.weight("candidate_bias", (units,), axes=("output",))
        if self.norm == "layer":
            d.weight("norm_scale", (total,), Ones() if self.norm_gain == "direct" else None, axes=("output",))
        if self.projection:
            d.weight("projection", (units, out), start, axes=axes)
            d.weight("projection_bias", (out,), axes=("output",))
        return out

    def state_shapes(self, w: Any) -> dict[str, tuple[int, ...]]:
        return {"output": (self.projection,), "cell": (self.units,)} if self.projection else {"output": (self.units,)}

    def project(self, w: Any, x: Sequence, state: Tensors) -> Tensors:
        return {"gates": affine(x.values, w.input_kernel, w.bias if self.use_bias and self.norm == "none" else None)}

    def inside(self, w: Any) -> tuple[Tensors, Tensors]:
        kernels = {name: getattr(w, name) for name in ("gate_kernel", "candidate_kernel", "projection") if w.has(name)}
        vectors = {name: getattr(w, name) for name in ("candidate_bias", "projection_bias") if w.has(name)}
        if self.norm == "layer":
            vectors |= {"norm_scale": w.norm_scale + (0.0 if self.norm_gain == "direct" else 1.0)}
            vectors |= {"bias": w.bias} if self.use_bias else {}
        return kernels, vectors

    def advance(self, inside: Inside, position: Tensors, state: Tensors) -> Tensors:
        own, before = inside.vectors, state["output"]
        sums = tf.split(position["gates"], self._widths, -1)
        shares = tf.split(inside.times("gate_kernel", before), self._widths[1:], -1)
        update, reset = (tf.sigmoid(self._finished(own, place, sums[place] + shares[place - 1])) for place in (1, 2))
        if self.reset == "before":
            recurrent = inside.times("candidate_kernel", reset * before)
        else:
            recurrent = inside.times("candidate_kernel", before)
            recurrent = reset * (recurrent + own["candidate_bias"] if "candidate_bias" in own else recurrent)
        candidate = tf.tanh(self._finished(own, 0, sums[0] + recurrent))
        old, new = (update, 1 - update) if self.update == "keeps" else (1 - update, update)
        cell = clipped(old * state.get("cell", before) + new * candidate, self.cell_cap)
        if not self.projection:
            return {"output": cell}
        return {"output": inside.times("projection", cell) + own["projection_bias"], "cell": cell}

    def _finished(self, own: Tensors, place: int, sums: Any) -> Any:
        """The sums of one gate, normalised and with their bias where these are not part of them."""
        if self.norm == "none":
            return sums
        block = slice(sum(self._widths[:place]), sum(self._widths[: place + 1]))
        sums = normalized(sums, 1, own["norm_scale"][block], self.norm_epsilon)
        return sums + own["bias"][block] if "bias" in own else sums

    @property
    def _widths(self) -> list[int]:
        """Those of candidate, update gate and reset gate, which is as wide as what it multiplies."""
        return [self.units, self.units, (self.projection or self.units) if self.reset == "before" else self.units]
