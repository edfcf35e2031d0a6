"""Attention that only moves onward along the memory, and so can decode while the source still comes in."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Initializer
from seqcfg.component.types import NonNegativeFloat, PositiveInt
from seqcfg.initializers import draw
from seqcfg.layers.attention.aligning import Aligning, first_position
from seqcfg.layers.attention.energy import Energy, usual_start
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf

SMALL = 1e-10


class MonotonicAttention(Aligning, type="monotonic_attention"):
    """From where it read last, a query moves on and stops at position j with probability p_j = sigmoid(e_j).

    So Raffel et al. 2017 (arXiv:1704.00784). In training each position gets its chance to be where the query stops
    (equation 13); at other times the query stops at the first position with p > 1/2, and reads nothing, as all after it, if
    there is none. With a chunk of more than one position it reads the mean, under a softmax of energies of its own, of the
    chunk that ends where it stops (MoChA: Chiu & Raffel 2018, arXiv:1712.05382). e has weight normalisation and an offset
    (equation 16).
    """

    hidden: PositiveInt = param(doc="Width of the energies' sums.")
    chunk_size: PositiveInt = param(default=1, doc="Positions, up to where it stopped, that a query reads.")
    noise: NonNegativeFloat = param(default=0.0, doc="Standard deviation of normal noise added to e in training, so that p nears 0 and 1.")
    first_offset: float = param(default=-1.0, doc="Where the offset of e starts; the more below 0, the further queries move at first.")
    outside_training: Literal["hard", "soft"] = param(
        default="hard", doc="Whether queries stop at one position, or at each with its chance."
    )
    kernel_initializer: Initializer = param(factory=usual_start, doc="How the energies' kernels start.")

    def declare_energies(self, d: Any, query: int, source: int) -> None:
        stop = Energy(hidden=self.hidden, use_bias=True, offset=self.first_offset, kernel_initializer=self.kernel_initializer)
        d.child("stop", stop, query, source)
        if self.chunk_size > 1:
            d.child("chunk", Energy(hidden=self.hidden, use_bias=True, kernel_initializer=self.kernel_initializer), query, source)

    def keys(self, w: Any, values: Any) -> dict[str, Any]:
        found = {"stop": w.stop.keys(values)}
        return found | {"chunk": w.chunk.keys(values)} if self.chunk_size > 1 else found

    def first(self, w: Any, memory: Sequence) -> dict[str, Any]:
        return {"stops": first_position(memory)}

    def align(self, w: Any, queries: Any, fixed: Any, state: Any) -> tuple[Any, dict[str, Any]]:
        energy = w.stop.scores(queries, fixed["stop"])  # [batch, n, source]
        real = tf.cast(fixed["is_real"], tf.float32)[:, tf.newaxis]
        if w.training or self.outside_training == "soft":
            if w.training and self.noise:
                energy += draw.normal(tf.shape(energy), w.seed(), self.noise)
            stops = soft_stops(tf.sigmoid(energy) * real, state["stops"])
        else:
            stops = hard_stops(tf.cast(energy > 0, tf.float32) * real, state["stops"])
        found = stops if self.chunk_size == 1 else self._chunks(w.chunk.scores(queries, fixed["chunk"]), real, stops)
        w.show_attention(found[:, tf.newaxis])
        return found[:, tf.newaxis], {"stops": stops}

    def _chunks(self, energy: Any, real: Any, stops: Any) -> Any:
        """The chance of each stop, shared out over the chunk that ends there (arXiv:1712.05382, equations 19 to 21).

        The softmax of a chunk is taken against the largest energy of the sentence; what is 60 nats below is as good as nothing.
        """
        largest = tf.reduce_max(tf.where(real > 0, energy, energy.dtype.min), -1, keepdims=True)
        size = tf.exp(tf.maximum(energy - tf.stop_gradient(largest), -60.0)) * real
        total = self._moving_sum(size, onward=False)
        return size * self._moving_sum(stops / tf.maximum(total, 1e-30), onward=True)

    def _moving_sum(self, x: Any, onward: bool) -> Any:
        """Sums [..., source] over the chunk that ends at each position, or begins there."""
        reach = self.chunk_size - 1
        padded = tf.pad(x, [[0, 0], [0, 0], [0, reach] if onward else [reach, 0]])
        time = tf.shape(x)[-1]
        return tf.add_n([padded[..., shift : shift + time] for shift in range(self.chunk_size)])


def soft_stops(p: Any, before: Any) -> Any:
    """Chance to stop at each position [..., source], given the chances p to stop once there, and where the last query stopped.

    alpha_j = p_j r_j with r_j = (1 - p_(j-1)) r_(j-1) + before_j, as cumulative products and sums (arXiv:1704.00784, equation 13).
    """
    passed = tf.exp(tf.cumsum(tf.math.log(tf.clip_by_value(1 - p, 1e-20, 1.0)), -1, exclusive=True))
    return p * passed * tf.cumsum(before / tf.clip_by_value(passed, SMALL, 1.0), -1)


def hard_stops(p: Any, before: Any) -> Any:
    """1 at the first position from the last stop on where p is 1; all 0 where there is none, or was none before."""
    p = p * tf.cumsum(before, -1)
    return p * tf.cast(tf.cumsum(p, -1, exclusive=True) < 0.5, p.dtype)
