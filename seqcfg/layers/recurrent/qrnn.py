"""Quasi-recurrent networks: gates from a convolution over the last positions, and a cell that pools what they let through."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import PositiveFloat, PositiveInt
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.recurrent.gates import clipped
from seqcfg.layers.recurrent.loop import Inside, Tensors
from seqcfg.layers.recurrent.recurrence import Recurrence
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf

BLOCKS = {"f": "zf", "fo": "zfo", "ifo": "zifo", "sru": "zyfo"}  # what the convolution makes


class QRNN(Recurrence, type="qrnn"):
    """c' = f c + i z, m' = o c'; z = tanh, i, f, o = sigmoid of a convolution over this and earlier positions (arXiv:1611.01576).

    A padded position keeps the state, and gives the held output; in the convolution it counts as zeros.
    """

    units: PositiveInt = param(doc="Width of the cell.")
    kernel_size: PositiveInt = param(default=2, doc="Positions that the convolution sees.")
    pooling: Literal["f", "fo", "ifo", "sru"] = param(
        default="fo",
        doc="Gates there are besides f: none (i = 1 - f, o = 1), o (i = 1 - f), or both; sru: o, with linear z, tanh(c'), and"
        " 1 - o times a linear y added to m'.",
    )
    cell_cap: PositiveFloat | None = param(default=None, doc="Cell values are clipped to +- this; not clipped when left out.")
    use_bias: bool = param(default=True, doc="Whether a vector is added to the convolution.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernel starts; fans are of one block.")

    def declare(self, d: Any, dim: int) -> int:
        width, taps = len(BLOCKS[self.pooling]) * self.units, self.kernel_size
        fans = (taps * dim, taps * self.units)
        d.weight("kernel", (taps, dim, width), self.kernel_initializer, fans=fans, axes=("tap", "input", "output"))
        if self.use_bias:
            d.weight("bias", (width,), axes=("output",))
        return self.units

    def state_shapes(self, w: Any) -> dict[str, tuple[int, ...]]:
        return {"output": (self.units,), "cell": (self.units,), "recent": (self.kernel_size - 1, w.kernel.shape[1])}

    def run(self, w: Any, x: Sequence, state: Tensors) -> tuple[Any, Tensors]:
        """As in any recurrence; "recent" in the state is what the convolution will still see."""
        seen = tf.concat([state["recent"], x.zero_padding()], 1)
        outputs, last = super().run(w, x, dict(state))  # project takes what the loop has no use for out of it
        return outputs, last | {"recent": seen[:, tf.shape(seen)[1] - (self.kernel_size - 1) :]}

    def project(self, w: Any, x: Sequence, state: Tensors) -> Tensors:
        sums = tf.nn.conv1d(tf.concat([state.pop("recent"), x.zero_padding()], 1), w.kernel, 1, "VALID")
        sums = tf.nn.bias_add(sums, w.bias) if self.use_bias else sums
        linear = "zy" if self.pooling == "sru" else ""
        found = {}
        for name, block in zip(BLOCKS[self.pooling], tf.split(sums, len(BLOCKS[self.pooling]), -1), strict=True):
            found[name] = block if name in linear else tf.tanh(block) if name == "z" else tf.sigmoid(block)
        return found

    def advance(self, inside: Inside, position: Tensors, state: Tensors) -> Tensors:
        keep = position["f"]
        cell = keep * state["cell"] + position.get("i", 1 - keep) * position["z"]
        if self.pooling == "sru":
            output = position["o"] * tf.tanh(cell) + (1 - position["o"]) * position["y"]
        else:
            output = position["o"] * cell if "o" in position else cell
        return {"output": output, "cell": clipped(cell, self.cell_cap)}
