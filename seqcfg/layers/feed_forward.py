"""Two affine maps with a non-linearity between them."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer, Layer
from seqcfg.component.types import Activation, PositiveInt, Probability
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.activation import activate, activation_kept
from seqcfg.layers.dense import Dense
from seqcfg.layers.dropout import dropout, factors_kept


class FeedForward(Layer, type="feed_forward"):
    """contract(activation(expand(x))), applied to each position (arXiv:1706.03762, section 3.3).

    With gating "glu" it is contract(activation(expand(x)) * gate(x)) (arXiv:2002.05202, equations 5 and 6).
    """

    hidden: PositiveInt = param(doc="Width between the two maps.")
    activation: Activation = param(default="relu", doc="Applied after the first map.")
    gating: Literal["none", "glu"] = param(default="none", doc="Whether a third map multiplies the hidden features.")
    dropout: Probability = param(default=0.0, doc="Probability of a 0 among the hidden features during training.")
    use_bias: bool = param(default=True, doc="Whether each map adds a vector.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the kernels start.")

    def declare(self, d: Any, dim: int) -> int:
        d.child("expand", self._map(self.hidden), dim)
        if self.gating == "glu":
            d.child("gate", self._map(self.hidden), dim)
        return d.child("contract", self._map(dim), self.hidden)

    def kept(self, d: Any, at: Any) -> float:
        own = activation_kept(self.activation) if self.activation != "relu" else 0  # relu needs its result, which the second map counts
        gates = 2 if self.gating == "glu" else 0
        is_dropped = factors_kept(self.dropout)
        return at.outputs * self.hidden * (own + gates + is_dropped + (is_dropped if self.activation == "relu" and not gates else 0))

    def __call__(self, w: Any, x: Any) -> Any:
        """x [..., dim] -> [..., dim]."""
        hidden = activate(self.activation, w.expand(x))
        if self.gating == "glu":
            hidden = hidden * w.gate(x)
        return w.contract(dropout(w, hidden, self.dropout))

    def _map(self, units: int) -> Dense:
        return Dense(units=units, use_bias=self.use_bias, kernel_initializer=self.kernel_initializer)
