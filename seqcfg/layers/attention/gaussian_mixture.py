"""Attention by a mixture of Gaussians that moves onward along the memory."""

from __future__ import annotations

import math
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import Activation, PositiveFloat, PositiveInt
from seqcfg.initializers.glorot import GlorotUniform
from seqcfg.layers.attention.aligning import Aligning
from seqcfg.layers.dense import Dense
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf

LARGEST_EXPONENT = 20.0
SMALL = 1e-8


class GaussianMixtureAttention(Aligning, type="gaussian_mixture_attention"):
    """Weight of position j is sum_k w_k / Z_k exp(-(j - m_k)^2 / 2 s_k^2), with means m_k that move by d_k > 0.

    So Graves 2013 (arXiv:1308.0850, equations 46 to 51). (w, d, s) follow from a hidden layer over the query; the memory's
    content has no part in it. By version (Battenberg et al. 2020, arXiv:1910.10288, table 1):
    v0: Z = 1, w = exp(.), d = exp(.), s^2 = exp(-.) / 2;
    v1: Z = sqrt(2 pi s^2), w = softmax(.), d = exp(.), s^2 = exp(.);
    v2: as v1, with d = softplus(.) and s = softplus(.).
    The means start at position 0. Weights of padding are 0; the others need not sum to 1.
    """

    num_mixtures: PositiveInt = param(default=5, doc="Number of Gaussians.")
    hidden: PositiveInt = param(default=128, doc="Width of the hidden layer.")
    activation: Activation = param(default="tanh", doc="Applied in the hidden layer.")
    version: Literal["v0", "v1", "v2"] = param(default="v2", doc="How the hidden layer's results become weights, steps and widths.")
    first_step: PositiveFloat | None = param(
        default=None, doc="d of a query of zeros as training starts, in positions; as it comes if left out."
    )
    first_width: PositiveFloat | None = param(default=None, doc="s of a query of zeros at the start of training, in positions.")
    kernel_initializer: Initializer = param(factory=GlorotUniform, doc="How the two kernels start.")

    def declare_energies(self, d: Any, query: int, source: int) -> None:
        d.child("hidden_layer", Dense(units=self.hidden, activation=self.activation, kernel_initializer=self.kernel_initializer), query)
        d.child("mixture", Dense(units=3 * self.num_mixtures, kernel_initializer=self.kernel_initializer), self.hidden)

    def first(self, w: Any, memory: Sequence) -> dict[str, Any]:
        return {"mean": tf.zeros([tf.shape(memory.values)[0], self.num_mixtures])}

    def align(self, w: Any, queries: Any, fixed: Any, state: Any) -> tuple[Any, dict[str, Any]]:
        raw = tf.cast(w.mixture(w.hidden_layer(queries)), tf.float32)
        share, step, variance = self._shape(*tf.split(raw, 3, -1))
        mean = state["mean"] + step
        position = tf.cast(tf.range(tf.shape(fixed["is_real"])[1]), tf.float32)[:, tf.newaxis]
        distance = position - mean[:, :, tf.newaxis]  # [batch, n, source, mixtures]
        density = share[:, :, tf.newaxis] * tf.exp(-tf.square(distance) / (2 * variance[:, :, tf.newaxis] + SMALL))
        found = tf.reduce_sum(density, -1) * tf.cast(fixed["is_real"], tf.float32)[:, tf.newaxis]
        w.show_attention(found[:, tf.newaxis])
        return found[:, tf.newaxis], {"mean": mean}

    def _shape(self, share: Any, step: Any, width: Any) -> tuple[Any, Any, Any]:
        """w / Z, d and s^2 of three raw numbers for each Gaussian."""
        step, width = step + self._shift(self.first_step, "step"), width + self._shift(self.first_width, "width")
        if self.version == "v0":
            return tf.exp(share), tf.exp(step), tf.exp(-width) / 2
        variance = tf.square(tf.nn.softplus(width)) if self.version == "v2" else tf.exp(tf.minimum(width, LARGEST_EXPONENT))
        share = tf.nn.softmax(share) * tf.math.rsqrt(2 * math.pi * variance + SMALL)
        return share, tf.nn.softplus(step) if self.version == "v2" else tf.exp(step), variance

    def _shift(self, wanted: float | None, what: str) -> float:
        """What is added to the raw number so that 0 gives the wanted one."""
        if wanted is None:
            return 0.0
        if self.version == "v2":
            return wanted + math.log(-math.expm1(-wanted))  # the inverse of softplus
        if what == "step":
            return math.log(wanted)
        return -math.log(2 * wanted**2) if self.version == "v0" else 2 * math.log(wanted)
