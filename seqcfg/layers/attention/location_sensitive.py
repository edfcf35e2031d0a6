"""Additive attention that also sees where it read before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import PositiveInt, Probability
from seqcfg.initializers.uniform import Uniform
from seqcfg.layers.attention import masks
from seqcfg.layers.attention.aligning import Aligning, first_position
from seqcfg.layers.attention.energy import Energy, usual_start
from seqcfg.layers.attention.scores import weights
from seqcfg.layers.dense import affine
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class LocationSensitiveAttention(Aligning, type="location_sensitive_attention"):
    """softmax of v . tanh(query W + key U + f L + b), f being a convolution over earlier weights.

    So Chorowski et al. 2015 (arXiv:1506.07503, equation 9). Before the first query all weight is on the first position.
    """

    hidden: PositiveInt = param(doc="Width of the sum.")
    num_filters: PositiveInt = param(default=32, doc="Channels of the convolution.")
    kernel_size: PositiveInt = param(default=31, doc="Positions of the memory that a filter spans; an odd number.")
    location: Literal["previous", "cumulative", "both"] = param(
        default="previous", doc="Weights the convolution sees: of the query before, summed over all before, or both."
    )
    use_bias: bool = param(default=False, doc="Whether b is there.")
    dropout: Probability = param(default=0.0, doc="Probability of a 0 among the weights that are read with, during training.")
    kernel_initializer: Initializer = param(factory=usual_start, doc="How W, U and v start.")
    location_initializer: Initializer = param(factory=Uniform, doc="How the convolution and L start.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.kernel_size % 2 == 0:
            yield "kernel_size", f"a window of {self.kernel_size} positions has no middle", f"take {self.kernel_size + 1}"

    def declare_energies(self, d: Any, query: int, source: int) -> None:
        d.child("energy", Energy(hidden=self.hidden, use_bias=self.use_bias, kernel_initializer=self.kernel_initializer), query, source)
        d.weight("filters", (self.kernel_size, len(self._tracks), self.num_filters), self.location_initializer)
        d.weight("location_kernel", (self.num_filters, self.hidden), self.location_initializer, axes=("input", "output"))

    def keys(self, w: Any, values: Any) -> dict[str, Any]:
        return {"keys": w.energy.keys(values)}

    def first(self, w: Any, memory: Sequence) -> dict[str, Any]:
        return {track: first_position(memory) for track in self._tracks}

    def align(self, w: Any, queries: Any, fixed: Any, state: Any) -> tuple[Any, dict[str, Any]]:
        where = self._features(w, tf.stack([state[track] for track in self._tracks], -1))
        scores = w.energy.scores(queries, fixed["keys"], where)[:, tf.newaxis]
        bias = masks.bias(masks.for_all_queries(fixed["is_real"]), "float32")
        exact = tf.nn.softmax(scores + bias)
        new = {"previous": exact[:, 0]}
        if "cumulative" in state:
            new["cumulative"] = state["cumulative"] + exact[:, 0]
        return weights(w, scores, bias, self.dropout, None), {track: new[track] for track in self._tracks}

    def _features(self, w: Any, tracks: Any) -> Any:
        """Weights [batch, n, source, tracks] float32 -> [batch, n, source, hidden]."""
        shape = tf.shape(tracks)
        flat = tf.reshape(tracks, [-1, shape[2], tracks.shape[-1]])
        seen = tf.nn.conv1d(flat, tf.cast(w.filters, tf.float32), 1, "SAME")
        seen = affine(tf.cast(seen, w.context.dtype), w.location_kernel)
        return tf.reshape(seen, [shape[0], shape[1], shape[2], self.hidden])

    @property
    def _tracks(self) -> tuple[str, ...]:
        return ("previous", "cumulative") if self.location == "both" else (self.location,)
