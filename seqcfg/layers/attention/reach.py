"""How far a position may look to either side of itself, so that what is read can be bounded while audio still arrives."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.types import NonNegativeInt, PositiveInt
from seqcfg.layers.attention.masks import both
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf


class Reach(Record):
    """Positions i - left to i + right are seen; with chunks, those from `left` before the chunk of i to `right` after it.

    Chunks are counted from the first position: 0 to chunk - 1, and so on (as in arXiv:2012.05481, section 3.2).
    """

    left: NonNegativeInt | None = param(default=None, doc="Earlier positions that are seen; all when left out.")
    right: NonNegativeInt | None = param(default=None, doc="Later positions that are seen; all when left out, 0 is causal.")
    chunk: PositiveInt = param(default=1, doc="Positions that see each other whichever comes first; 1 is no chunks.")

    def allowed(self, queries: Any, sources: Any) -> Any:
        """Indices [query] and [source], or [batch, query] and [batch, source], of positions -> what may be attended to.

        The mask broadcasts to [batch, heads, query, source]; it is None where all may be.
        """
        first = queries // self.chunk * self.chunk
        mask, axis = None, tf.expand_dims
        if self.left is not None:
            mask = axis(sources, -2) >= axis(first - self.left, -1)
        if self.right is not None:
            mask = both(mask, axis(sources, -2) < axis(first + self.chunk + self.right, -1))
        return mask if mask is None else mask[tf.newaxis, tf.newaxis] if mask.shape.rank == 2 else mask[:, tf.newaxis]

    @property
    def is_steppable(self) -> bool:
        """Whether nothing is read from beyond the chunk of a position."""
        return self.right == 0

    def of(self, x: Sequence) -> Any:
        """The mask of attention from x to itself."""
        index = x.time_index()
        return self.allowed(index, index)
