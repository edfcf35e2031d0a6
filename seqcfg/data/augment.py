"""Augmenting batches in the training step: random changes that are a function of the seed, the batch's number and their place."""

from __future__ import annotations

from typing import Any

from seqcfg.initializers import draw as draws
from seqcfg.layers.view import fold_seed
from seqcfg.lazy import tf


class Draw:
    """Random numbers of one change of one batch, each call's independent of the others; the same in plain and compiled graphs."""

    def __init__(self, seed: Any):
        self._seed, self._calls = seed, 0

    def uniform(self, *shape: Any) -> Any:
        """float32 in (0, 1)."""
        return draws.chances(tf.stack(shape), self._next())

    def normal(self, *shape: Any) -> Any:
        """Standard normal float32."""
        return draws.normal(tf.stack(shape), self._next(), 1.0)

    def whole(self, limits: Any) -> Any:
        """int32 in 0 .. limit - 1 for each of the limits, which are at least 1."""
        return draws.whole(limits, self._next())

    def _next(self) -> Any:
        self._calls += 1
        return fold_seed(self._seed, str(self._calls))


def augmented(batch: dict[str, Any], augmentation: dict[str, list[Any]], seed: int, number: Any) -> dict[str, Any]:
    """The whole batch `number` after all changes; each replica then takes its rows, so that their number changes nothing."""
    batch = dict(batch)
    for name, changes in augmentation.items():
        for place, change in enumerate(changes):
            here = fold_seed(tf.stack([tf.constant(seed, tf.int32), tf.cast(number, tf.int32)]), f"augmentation/{name}/{place}")
            values, lengths = change(batch[name], batch.get(f"{name}_length"), Draw(here))
            batch[name] = tf.cast(values, batch[name].dtype)
            if lengths is not None:
                batch[f"{name}_length"] = tf.cast(lengths, tf.int32)
    return batch
