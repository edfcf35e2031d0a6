"""Sequence: what flows between sequence layers: values with their mask, positions, segments and memory."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from seqcfg.errors import UserError
from seqcfg.lazy import tf


class Packing(NamedTuple):
    """Segments and positions [batch, time] of rows that hold several texts; None where each row holds one."""

    segments: Any = None
    positions: Any = None


UNPACKED = Packing()


@dataclasses.dataclass(frozen=True)
class Sequence:
    """Values along time, and what layers need to know about them. Lives only while tracing.

    values    [batch, time, ...]
    mask      [batch, time] bool, True = a real position; None = all are real
    start     scalar int, or None for 0: the index of the first position of `values` in its sequence
    segments  [batch, time] int, positions attend only within equal segments; None = one segment
    positions [batch, time] int, restart at 0 in each packed segment; None = start, start + 1, ...
    memory    the Sequence that cross-attention reads; None = there is none
    """

    values: Any
    mask: Any = None
    start: Any = None
    segments: Any = None
    positions: Any = None
    memory: Sequence | None = None

    def with_values(self, values: Any) -> Sequence:
        return dataclasses.replace(self, values=values)

    def zero_padding(self, values: Any = None) -> Any:
        """The values with 0 at positions that are not real."""
        values = self.values if values is None else values
        if self.mask is None:
            return values
        mask = tf.reshape(self.mask, tf.concat([tf.shape(self.mask), tf.ones([len(values.shape) - 2], tf.int32)], 0))
        return tf.where(mask, values, tf.zeros([], values.dtype))

    def lengths(self) -> Any:
        """How many positions of each row are real: [batch] int32."""
        if self.mask is None:
            return tf.fill([tf.shape(self.values)[0]], tf.shape(self.values)[1])
        return tf.reduce_sum(tf.cast(self.mask, tf.int32), 1)

    def time_index(self) -> Any:
        """The index of each position in its sequence: [time], or [batch, time] where positions are given."""
        if self.positions is not None:
            return self.positions
        index = tf.range(tf.shape(self.values)[1])
        return index if self.start is None else index + self.start


def packing_of(batch: dict[str, Any], feature: str) -> Packing:
    """How a feature of a batch is packed."""
    return Packing(batch.get(f"{feature}_segments"), batch.get(f"{feature}_positions"))


def refuse_packed(x: Any, what: str) -> None:
    """Raises UserError for a sequence of packed texts, between which `what` would carry something over."""
    if isinstance(x, Sequence) and x.segments is not None:
        raise UserError(f"{what} would mix the texts that share a row", hint="set data.batching.packing: false for this model")


def values_of(x: Any) -> Any:
    """The values of a Sequence; a tensor is its own values."""
    return x.values if isinstance(x, Sequence) else x


def with_values(x: Any, values: Any) -> Any:
    """A Sequence like x with other values; the values themselves where x is a tensor."""
    return x.with_values(values) if isinstance(x, Sequence) else values
