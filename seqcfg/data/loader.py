"""Loader: from batch numbers to padded arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from seqcfg.data.batches import BatchPlan
from seqcfg.data.columns import Columns
from seqcfg.data.feature import Feature
from seqcfg.lazy import np, tf

PARALLEL_LOADS = 2
PREFETCHED_BATCHES = 8
TIME_MULTIPLE = 8  # evaluation batches are padded to multiples of this many steps: few shapes, few traces


class Loader:
    """Training batches as arrays: a ragged feature `f` arrives as `f` [rows, time, *frame] and `f_length` [rows] int32.

    Rows that are padding have length 0. Features of bytes are left out.
    """

    def __init__(self, columns: Columns, plan: BatchPlan, features: dict[str, Feature]):
        self.columns, self.plan, self.features = columns, plan, batched(features)
        self._lengths = {name: columns.lengths(name) for name, feature in self.features.items() if feature.is_ragged}

    def load(self, number: int, part: int = 0, parts: int = 1) -> dict[str, Any]:
        """Batch `number`, or replica `part`'s rows of it, padded to its bucket's shape."""
        batch = self.plan.batch(number).part(part, parts)
        return _arrays(self.columns, self.features, self._lengths, batch.example_ids, batch.time)

    def dataset(self, first: int, last: int, part: int = 0, parts: int = 1) -> Any:
        """A tf.data.Dataset of batches first .. last - 1 in order, loaded ahead; all axes but `frame` have unknown size."""
        specs = signature(self.features)

        def load(number: Any) -> list[Any]:
            arrays = self.load(int(number), part, parts)
            return [arrays[name] for name in specs]

        def map_one(number: Any) -> dict[str, Any]:
            values = tf.numpy_function(load, [number], [spec.dtype for spec in specs.values()], stateful=False)
            return {name: tf.ensure_shape(value, spec.shape) for value, (name, spec) in zip(values, specs.items(), strict=True)}

        dataset = tf.data.Dataset.range(first, last).map(map_one, num_parallel_calls=PARALLEL_LOADS, deterministic=True)
        return dataset.prefetch(PREFETCHED_BATCHES)


def batched(features: dict[str, Feature]) -> dict[str, Feature]:
    """The features that batches hold: all but raw bytes."""
    return {name: feature for name, feature in features.items() if feature.dtype != "bytes"}


def signature(features: dict[str, Feature]) -> dict[str, Any]:
    """{name: tf.TensorSpec} of a batch of these features, lengths included."""
    specs = {}
    for name, feature in batched(features).items():
        axes = [None, None] if feature.is_ragged else [None]
        specs[name] = tf.TensorSpec([*axes, *feature.frame], feature.dtype)
        if feature.is_ragged:
            specs[f"{name}_length"] = tf.TensorSpec([None], tf.int32)
    return specs


@dataclasses.dataclass(frozen=True)
class EvaluationBatch:
    """Arrays as from a Loader, and the numbers of their examples [rows], which lead back to the original order."""

    example_ids: Any
    arrays: dict[str, Any]


def evaluation_batches(
    columns: Columns, features: dict[str, Feature], *, batch_size: int = 0, max_tokens: int = 0
) -> Iterator[EvaluationBatch]:
    """All examples of a split once, longest first, in batches of `batch_size` rows or of `max_tokens` padded positions."""
    if bool(batch_size) == bool(max_tokens):
        raise ValueError("give either batch_size or max_tokens")
    features = batched(features)
    lengths = {name: columns.lengths(name) for name, feature in features.items() if feature.is_ragged}
    longest = np.maximum.reduce(list(lengths.values())) if lengths else np.ones([columns.num_examples], np.int32)
    order = np.lexsort([*lengths.values(), longest])[::-1]
    start = 0
    while start < columns.num_examples:
        rows = batch_size or max(1, max_tokens // _padded(int(longest[order[start]])))
        ids = order[start : start + rows]
        time = {name: _padded(int(length[ids].max())) for name, length in lengths.items()}
        yield EvaluationBatch(ids, _arrays(columns, features, lengths, ids, time))
        start += rows


def _padded(length: int) -> int:
    return max(1, -(-length // TIME_MULTIPLE)) * TIME_MULTIPLE


def _arrays(columns: Columns, features: dict[str, Feature], lengths: dict[str, Any], ids: Any, time: dict[str, int]) -> dict[str, Any]:
    arrays = {}
    for name in features:
        arrays[name] = columns.gather(name, ids, time.get(name, 0))
        if name in lengths:
            arrays[f"{name}_length"] = np.where(ids >= 0, lengths[name][np.maximum(ids, 0)], 0).astype(np.int32)
    return arrays
