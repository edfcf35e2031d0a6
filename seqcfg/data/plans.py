"""Plans: from the recipe's data section and prepared columns to the plan of all training batches."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.data.batches import BatchPlan
from seqcfg.data.batching import Batching
from seqcfg.data.columns import Columns
from seqcfg.data.feature import Feature
from seqcfg.data.mixing import MixedPlan, PhasedPlan, phase_seed
from seqcfg.data.packing import PackedPlan
from seqcfg.data.settings import Data
from seqcfg.errors import UserError
from seqcfg.lazy import np


class Lengths:
    """Lengths of a ragged feature in units, read from the offsets on disk: a slice or an array of examples gives int64."""

    def __init__(self, offsets: Any, unit: int):
        self._offsets, self._unit = offsets, unit

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, slice):
            start, stop, _ = which.indices(len(self))
            steps = np.diff(self._offsets[start : stop + 1])
        else:
            steps = self._offsets[which + 1] - self._offsets[which]
        return steps if self._unit == 1 else -(-steps // self._unit)


def training_plan(columns: Columns, features: dict[str, Feature], batching: Batching, seed: int) -> Any:
    """The batch plan of one split for a task's features."""
    ragged = {name: feature for name, feature in features.items() if feature.is_ragged and feature.dtype != "bytes"}
    if not ragged:
        return BatchPlan({"examples": Ones(columns.num_examples)}, batching, seed)
    lengths = {name: Lengths(columns.offsets(name), feature.unit) for name, feature in ragged.items()}
    if not batching.packing:
        return BatchPlan(lengths, batching, seed)
    if odd := [name for name, one in features.items() if one.dtype != "bytes" and (not one.is_ragged or one.unit != 1 or one.frame)]:
        raise UserError(
            f"data.batching.packing: the feature {odd[0]!r} of the task cannot be packed, only tokens can", hint="leave packing out"
        )
    return PackedPlan(lengths, batching, seed)


class Ones:
    """Lengths of examples that have none, such as images: each counts as one."""

    def __init__(self, count: int):
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, which: slice) -> Any:
        return np.ones([len(range(*which.indices(self._count)))], np.int64)


def whole_plan(splits: dict[str, Columns], data: Data, features: dict[str, Feature], seed: int) -> Any:
    """The plan of a recipe's training batches: bucketed or packed, mixed, and in phases, as its data section says."""
    phases, start = [], 0
    for number, phase in enumerate(data.curriculum):
        length = min(phase.max_length or data.batching.max_length, data.batching.max_length)
        batching = dataclasses.replace(data.batching, max_length=length)
        phases.append((start, _mixed(splits, data, features, batching, phase.weights, phase_seed(seed, number))))
        start = phase.until_batch
    last = _mixed(splits, data, features, data.batching, {}, seed)
    return PhasedPlan([*phases, (start, last)]) if phases else last


def _mixed(
    splits: dict[str, Columns], data: Data, features: dict[str, Feature], batching: Batching, weights: dict[str, float], seed: int
) -> Any:
    if data.mixing is None:
        return training_plan(splits[data.training_split], features, batching, seed)
    weights = weights or data.mixing.weights
    names = [name for name in data.trained_on if not weights or weights.get(name)]
    plans = {name: training_plan(splits[name], features, batching, seed) for name in names}
    if not weights:
        weights = {name: float(plan.tokens) ** (1.0 / data.mixing.temperature) for name, plan in plans.items()}
    return MixedPlan(plans, weights, seed)
