"""Mixing and curricula: which split a batch comes from, and which examples are allowed, by the batch's number alone."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.types import Name, NonNegativeFloat, PositiveFloat, PositiveInt
from seqcfg.data.batches import Batch
from seqcfg.data.order import Permutation
from seqcfg.lazy import np

PERIOD = 1 << 14  # batches in which each split gets exactly its share


class Mixing(Record):
    """Several splits that are trained on together. Weights are shares of batches, and so, about, of tokens."""

    weights: dict[Name, NonNegativeFloat] = param(
        factory=dict, doc="Split -> weight; they need not sum to 1. Left out, all of `splits` by their sizes in tokens."
    )
    splits: list[Name] = param(factory=list, doc="Splits to mix by size, where no weights are given.")
    temperature: PositiveFloat = param(
        default=1.0, doc="Sizes are raised to 1 / temperature: 1 is proportional, 5 lifts small splits, a large one makes all equal."
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        if bool(self.weights) == bool(self.splits):
            yield "weights", "mixing needs weights, or splits to mix by their sizes, and not both", "weights: {train: 1, more: 0.5}"
        if self.weights and not sum(self.weights.values()):
            yield "weights", "all weights are 0", "give the splits that are trained on a weight above 0"
        if self.weights and self.temperature != 1.0:
            yield "temperature", "is not used where weights are given", "leave it out, or list splits instead"

    @property
    def names(self) -> list[str]:
        """The splits that are mixed."""
        return list(self.weights or self.splits)


class Phase(Record):
    """What is different in the first part of training: shorter examples, or other weights."""

    until_batch: PositiveInt = param(doc="Number of the batch at which the phase ends, counted from the start of training.")
    max_length: PositiveInt | None = param(default=None, doc="Longest example of this phase, in tokens; null for that of batching.")
    weights: dict[Name, NonNegativeFloat] = param(factory=dict, doc="Split -> weight in this phase; left out, those of mixing.")


class MixedPlan:
    """Batches of several plans, in an order that gives each split its share in every PERIOD batches, exactly.

    A permutation divides the places of a period among the splits; the k-th place of a split is the k-th of the batches
    that its own plan gives to this period. So each plan runs through its epochs in order, and batch n is found from its
    period alone, in milliseconds, whatever came before.
    """

    def __init__(self, plans: dict[str, Any], weights: dict[str, float], seed: int):
        self.plans = {name: plans[name] for name in plans if weights.get(name, 0.0) > 0}
        self.seed, self.is_packed = seed, any(plan.is_packed for plan in self.plans.values())
        self.counts = shares(np.array([weights[name] for name in self.plans]))
        self._ends = np.cumsum(self.counts)
        self._period = functools.lru_cache(4)(self._places)

    @property
    def batches_per_epoch(self) -> int:
        """Batches in which the split that lasts longest has been seen once."""
        return max(int(np.ceil(plan.batches_per_epoch * PERIOD / n)) for plan, n in zip(self.plans.values(), self.counts, strict=True))

    @property
    def buckets(self) -> list[Any]:
        """The shapes of all plans."""
        return [bucket for plan in self.plans.values() for bucket in plan.buckets]

    @property
    def num_left_out(self) -> int:
        """Examples that are too long."""
        return sum(plan.num_left_out for plan in self.plans.values())

    @property
    def padding_share(self) -> float:
        """Share of positions that are padding, over a period."""
        costs = [(count / plan.batches_per_epoch, plan) for count, plan in zip(self.counts, self.plans.values(), strict=True)]
        return 1.0 - sum(epochs * plan.tokens for epochs, plan in costs) / sum(epochs * plan.positions for epochs, plan in costs)

    def batch(self, number: int) -> Batch:
        """Batch `number`, counted from 0."""
        period, position = divmod(int(number), PERIOD)
        splits, ranks = self._period(period)
        index = int(splits[position])
        name = list(self.plans)[index]
        inner = self.plans[name].batch(period * int(self.counts[index]) + int(ranks[position]))
        return dataclasses.replace(inner, number=int(number), split=name)

    def _places(self, period: int) -> tuple[Any, Any]:
        """For each batch of a period the index of its split, and how many batches of this split come before it there."""
        places = Permutation(PERIOD, self.seed, "mixing", period)(np.arange(PERIOD))
        splits = np.searchsorted(self._ends, places, side="right")
        ranks = np.empty([PERIOD], np.int64)
        for index in range(len(self.counts)):
            ranks[splits == index] = np.arange(self.counts[index])
        return splits, ranks


class PhasedPlan:
    """One plan after the other: `phases` are (number of the first batch, plan), the first from 0."""

    def __init__(self, phases: list[tuple[int, Any]]):
        self._starts, self._plans = [start for start, _ in phases], [plan for _, plan in phases]

    def __getattr__(self, name: str) -> Any:
        """What is told of the whole is told of the last phase."""
        return getattr(self._plans[-1], name)

    def batch(self, number: int) -> Batch:
        """Batch `number`, counted from 0 over all phases."""
        index = int(np.searchsorted(self._starts, int(number), side="right")) - 1
        return dataclasses.replace(self._plans[index].batch(int(number) - self._starts[index]), number=int(number))


def shares(weights: Any) -> Any:
    """How many of PERIOD places each weight gets: int64, at least 1 each, PERIOD in all (largest remainders)."""
    exact = weights / weights.sum() * PERIOD
    counts = np.maximum(np.floor(exact).astype(np.int64), 1)
    order = np.argsort(counts - exact, kind="stable")
    missing = PERIOD - int(counts.sum())
    if missing > 0:
        counts[order[:missing]] += 1
    else:
        counts[np.argmax(counts)] += missing
    return counts


def phase_seed(seed: int, phase: int) -> int:
    """A seed of its own for a phase, so that it does not show what another shows."""
    return int.from_bytes(hashlib.sha256(f"{seed} phase {phase}".encode()).digest()[:6], "little")
