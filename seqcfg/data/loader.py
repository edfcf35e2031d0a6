"""Loader: from batch numbers to padded arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from seqcfg.data.augment import augmented
from seqcfg.data.batches import Batch
from seqcfg.data.columns import Columns
from seqcfg.data.feature import Feature
from seqcfg.data.plans import whole_plan
from seqcfg.data.settings import Data
from seqcfg.errors import UserError
from seqcfg.lazy import np, tf

PARALLEL_LOADS = 2
PREFETCHED_BATCHES = 8
TIME_MULTIPLE = 8  # evaluation batches are padded to multiples of this many steps: few shapes, few traces


class Loader:
    """Training batches as arrays: a ragged feature `f` arrives as `f` [rows, time, *frame] and `f_length` [rows] int32.

    Rows that are padding have length 0. Features of bytes are left out. In packed batches `f_segments` and `f_positions`
    [rows, time] int32 count the examples of a row from 1, with 0 for padding, and the positions of each example from 0.

    columns       of the split that is trained on, or of several by name where the plan mixes them
    augmentation  feature -> what changes it in the training step, by this seed and the batch's number
    """

    def __init__(
        self,
        columns: Columns | dict[str, Columns],
        plan: Any,
        features: dict[str, Feature],
        augmentation: dict[str, list[Any]] | None = None,
        seed: int = 0,
    ):
        self._splits = columns if isinstance(columns, dict) else {"": columns}
        self.plan, self.features, self.augmentation, self.seed = plan, batched(features), augmentation or {}, seed
        if unknown := sorted(set(self.augmentation) - set(self.features)):
            known = ", ".join(self.features)
            raise UserError(f"data.augmentation: the task reads no feature {unknown[0]!r}", hint=f"its features are {known}")

    def load(self, number: int, part: int = 0, parts: int = 1) -> dict[str, Any]:
        """Batch `number`, or replica `part`'s rows of it, padded to its bucket's shape."""
        return self._arrays(self.plan.batch(number).part(part, parts))

    def augmented(self, number: int) -> dict[str, Any]:
        """The whole batch `number` as a training step sees it: after all changes by chance."""
        if not self.augmentation:
            return self.load(number)
        batch = {name: tf.constant(array) for name, array in self.load(number).items()}
        return {name: value.numpy() for name, value in augmented(batch, self.augmentation, self.seed, number).items()}

    def columns_of(self, batch: Batch) -> Columns:
        """The split that a batch's examples belong to."""
        return self._splits[batch.split] if batch.split in self._splits else next(iter(self._splits.values()))

    def load_rows(self, number: int, chosen: Callable[[int], Any]) -> dict[str, Any]:
        """Batch `number` with all its rows, of which those are read for which chosen(rows) [rows] is true; others are zero.

        So processes that compute different rows of a batch share the work of reading it. chosen may give None for all.
        """
        batch = self.plan.batch(number)
        if (mine := chosen(len(batch.example_ids))) is not None:
            ids = batch.example_ids.copy()
            ids[~mine] = -1
            batch = dataclasses.replace(batch, example_ids=ids)
        return self._arrays(batch)

    def dataset(self, first: int, last: int, chosen: Callable[[int], Any] = lambda _: None) -> Any:
        """A tf.data.Dataset of batches first .. last - 1 in order, loaded ahead; all axes but `frame` have unknown size.

        Rows are read as by `load_rows`.
        """
        specs = signature(self.features, self.plan.is_packed)

        def load(number: Any) -> list[Any]:
            arrays = self.load_rows(int(number), chosen)
            return [arrays[name] for name in specs]

        def map_one(number: Any) -> dict[str, Any]:
            values = tf.numpy_function(load, [number], [spec.dtype for spec in specs.values()], stateful=False)
            return {name: tf.ensure_shape(value, spec.shape) for value, (name, spec) in zip(values, specs.items(), strict=True)}

        dataset = tf.data.Dataset.range(first, last).map(map_one, num_parallel_calls=PARALLEL_LOADS, deterministic=True)
        return dataset.prefetch(PREFETCHED_BATCHES)

    def _arrays(self, batch: Batch) -> dict[str, Any]:
        columns = self.columns_of(batch)
        return (packed_arrays if self.plan.is_packed else _arrays)(columns, self.features, batch.example_ids, batch.time)


def make_loader(splits: dict[str, Columns], data: Data, features: dict[str, Feature], seed: int) -> Loader:
    """The loader of a recipe's training batches."""
    used = {name: splits[name] for name in data.trained_on}
    return Loader(used, whole_plan(splits, data, features, seed), features, data.augmentation, seed)


def batched(features: dict[str, Feature]) -> dict[str, Feature]:
    """The features that batches hold: all but raw bytes."""
    return {name: feature for name, feature in features.items() if feature.dtype != "bytes"}


def signature(features: dict[str, Feature], is_packed: bool = False) -> dict[str, Any]:
    """{name: tf.TensorSpec} of a batch of these features, lengths included, and segments and positions of a packed one."""
    specs = {}
    for name, feature in batched(features).items():
        axes = [None, None] if feature.is_ragged else [None]
        specs[name] = tf.TensorSpec([*axes, *feature.frame], feature.dtype)
        if feature.is_ragged:
            specs[f"{name}_length"] = tf.TensorSpec([None], tf.int32)
        if is_packed:
            specs |= {f"{name}_{what}": tf.TensorSpec([None, None], tf.int32) for what in ("segments", "positions")}
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
    lengths = {name: -(-columns.lengths(name) // feature.unit) for name, feature in features.items() if feature.is_ragged}
    longest = np.maximum.reduce(list(lengths.values())) if lengths else np.ones([columns.num_examples], np.int32)
    order = np.lexsort([*lengths.values(), longest])[::-1]
    start = 0
    while start < columns.num_examples:
        rows = batch_size or max(1, max_tokens // _padded(int(longest[order[start]])))
        ids = order[start : start + rows]
        time = {name: _padded(int(length[ids].max())) for name, length in lengths.items()}
        yield EvaluationBatch(ids, _arrays(columns, features, ids, time))
        start += rows


def _padded(length: int) -> int:
    return max(1, -(-length // TIME_MULTIPLE)) * TIME_MULTIPLE


def _arrays(columns: Columns, features: dict[str, Feature], ids: Any, time: dict[str, int]) -> dict[str, Any]:
    arrays, safe = {}, np.maximum(ids, 0)
    for name, feature in features.items():
        arrays[name] = columns.gather(name, ids, time.get(name, 0) * feature.unit)
        if feature.is_ragged:
            offsets = columns.offsets(name)
            arrays[f"{name}_length"] = np.where(ids >= 0, offsets[safe + 1] - offsets[safe], 0).astype(np.int32)
    return arrays


def packed_arrays(columns: Columns, features: dict[str, Feature], ids: Any, time: dict[str, int]) -> dict[str, Any]:
    """ids [rows, segments], -1 for none -> values, lengths of rows, segments and positions of each feature."""
    rows, places = np.nonzero(ids >= 0)
    arrays: dict[str, Any] = {}
    for name, feature in features.items():
        values, lengths = columns.flat(name, ids[rows, places])
        used = np.zeros(ids.shape, np.int64)
        used[rows, places] = lengths
        starts = (np.cumsum(used, axis=1) - used)[rows, places]
        shape = [len(ids), time[name]]
        found, segments, positions = np.zeros(shape, feature.dtype), np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        index = np.arange(len(values)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        at = np.repeat(rows, lengths), np.repeat(starts, lengths) + index
        found[at], segments[at], positions[at] = values, np.repeat(places + 1, lengths), index
        arrays |= {name: found, f"{name}_length": used.sum(axis=1).astype(np.int32)}
        arrays |= {f"{name}_segments": segments, f"{name}_positions": positions}
    return arrays
