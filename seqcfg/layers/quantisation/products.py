"""Products: what takes the place of multiplications by kernels while a model is traced, inside of loops and outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqcfg.lazy import tf

Apply = Callable[[Any, Any], Any]


class Products:
    """Multiplies as if nothing took its place; members round, or look on.

    A loop along time asks `kernel` once for each kernel that it multiplies by, before its first turn, and multiplies in its body by
    `times` of what `inside_loop` gave it. Ranges that this notes leave the loop as its outputs, and come back by `after_loop`.
    """

    def __call__(self, place: str, x: Any, kernel: Any, bias: Any, apply: Apply) -> Any:
        y = apply(x, kernel)
        return y if bias is None else tf.nn.bias_add(y, bias)

    def operands(self, place: str, x: Any, kernel: Any) -> tuple[Any, Any]:
        """x and kernel for a loss that multiplies by itself, part by part."""
        return x, kernel

    def kernel(self, place: str, kernel: Any) -> Any:
        """The kernel as `times` takes it."""
        return kernel

    def times(self, place: str, x: Any, kernel: Any, apply: Apply) -> Any:
        """x times a kernel that `kernel` has given."""
        return self(place, x, kernel, None, apply)

    def inside_loop(self) -> Products:
        """What takes the place of products in the body of a loop."""
        return self

    def notes(self, place: str) -> bool:
        """Whether the ranges of this place are noted in `noted`, as they must leave a loop."""
        return False

    @property
    def noted(self) -> dict[str, Any]:
        """{place: [least and largest input, least and largest result]} of one turn of a loop."""
        return {}

    def after_loop(self, noted: dict[str, Any]) -> None:
        """Takes what a loop noted: {place: [turns, 4]}."""


class Noted:
    """Ranges of products by place, each [least and largest input, least and largest result]; a place that is met twice has both."""

    def __init__(self) -> None:
        self.ranges: dict[str, Any] = {}

    def see(self, place: str, x: Any, y: Any) -> None:
        found = [tf.reduce_min(x), tf.reduce_max(x), tf.reduce_min(y), tf.reduce_max(y)]
        self.widen(place, tf.stop_gradient(tf.stack([tf.cast(one, tf.float32) for one in found])))

    def see_turns(self, place: str, turns: Any) -> None:
        """turns [number, 4]."""
        low, high = tf.reduce_min(turns, 0), tf.reduce_max(turns, 0)
        self.widen(place, tf.stack([low[0], high[1], low[2], high[3]]))

    def widen(self, place: str, found: Any) -> None:
        before = self.ranges.get(place)
        if before is not None:
            low, high = tf.minimum(before, found), tf.maximum(before, found)
            found = tf.stack([low[0], high[1], low[2], high[3]])
        self.ranges[place] = found
