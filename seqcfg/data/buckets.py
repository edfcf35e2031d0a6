"""Buckets: the length classes of a corpus, chosen so that little of a batch is padding and most batches are full."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.data.batching import Batching
from seqcfg.lazy import np

MAX_LEVELS = 32  # lengths are told apart this finely while bounds are searched; the bounds found are tight afterwards
UNFILLED_COST = 0.25  # price of one unused token of a batch's budget, where a padded token costs 1


@dataclasses.dataclass(frozen=True)
class Bucket:
    """Examples that are batched together.

    example_ids  int32 or int64 [n], increasing
    time         steps of each feature, padding included
    num_batches, rows  `num_batches` batches of `rows` rows; their real rows differ by at most one
    """

    example_ids: Any
    time: dict[str, int]
    num_batches: int
    rows: int

    @property
    def positions(self) -> int:
        """Positions of all features in all batches, padding included."""
        return self.num_batches * self.rows * sum(self.time.values())


def make_buckets(lengths: dict[str, Any], example_ids: Any, batching: Batching) -> list[Bucket]:
    """At most `num_buckets` buckets of the examples in `example_ids`, whose lengths are int [examples] by feature."""
    classes = _classes({name: length[example_ids] for name, length in lengths.items()}, batching)
    order = np.argsort(classes, kind="stable")
    ends = np.cumsum(np.bincount(classes))
    buckets = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        if start < end:
            members = example_ids[order[start:end]]
            time = {name: max(1, int(length[members].max())) for name, length in lengths.items()}
            num_batches, rows = _shape(end - start, max(time.values()), batching.max_tokens)
            buckets.append(Bucket(members, time, int(num_batches), int(rows)))
    return buckets


def _shape(examples: Any, time: Any, max_tokens: int) -> tuple[Any, Any]:
    """Number of batches and rows of each, for int arrays of examples and steps."""
    num_batches = -(-examples // np.maximum(max_tokens // time, 1))
    return num_batches, -(-examples // np.maximum(num_batches, 1))


def _classes(lengths: dict[str, Any], batching: Batching) -> Any:
    """The class of each example, int [n]: by the last feature's length, and within that by the longest other feature's."""
    *others, outer = lengths.values()
    inner = np.maximum.reduce(others) if others else np.zeros_like(outer)
    levels = [_levels(outer), _levels(inner)]
    places = [np.searchsorted(level, length) for level, length in zip(levels, (outer, inner), strict=True)]
    counts = np.zeros([len(level) for level in levels], np.int64)
    np.add.at(counts, tuple(places), 1)
    classes = np.full(counts.shape, -1)
    for number, (first, last, a, b) in enumerate(_best_cuts(counts, levels, batching)):
        classes[first:last, a:b] = number
    return classes[tuple(places)]


def _levels(lengths: Any) -> Any:
    """At most MAX_LEVELS upper bounds that cut the lengths into parts of about equal numbers of tokens."""
    values, counts = np.unique(lengths, return_counts=True)
    if len(values) <= MAX_LEVELS:
        return values
    mass = np.cumsum(values * counts)
    shares = np.arange(1, MAX_LEVELS + 1) / MAX_LEVELS
    return np.unique(values[np.searchsorted(mass, shares * mass[-1])])


def _best_cuts(counts: Any, levels: list[Any], batching: Batching) -> list[tuple[int, int, int, int]]:
    """Rectangles (outer from, to, inner from, to) of the cheapest cut into `num_buckets`, by dynamic programming.

    Outer segments are weighed with the cheapest inner cut for every number of inner segments, so that the buckets go
    where they save most.
    """
    outer, inner = counts.shape
    limit = batching.num_buckets
    cheapest, choice = np.full([limit + 1, outer + 1], np.inf), {}
    cheapest[:, 0] = 0.0
    inside = {
        (i, j): _inner_costs(counts[i:j].sum(axis=0), levels[0][j - 1], levels[1], batching) for j in range(1, outer + 1) for i in range(j)
    }
    for used in range(1, limit + 1):
        for j in range(1, outer + 1):
            for i in range(j):
                costs = cheapest[used - 1 :: -1, i][: len(inside[i, j][0])] + inside[i, j][0][:used]
                parts = int(np.argmin(costs))
                if costs[parts] < cheapest[used, j]:
                    cheapest[used, j], choice[used, j] = costs[parts], (i, parts + 1)
    cuts, used, j = [], limit, outer
    while j:
        i, parts = choice[used, j]
        cuts += [(i, j, a, b) for a, b in _inner_cuts(inside[i, j][1], parts, inner)]
        used, j = used - parts, i
    return cuts


def _inner_costs(counts: Any, outer_time: int, times: Any, batching: Batching) -> tuple[Any, Any]:
    """Costs [num_buckets] of the best cut of one outer segment into 1, 2, ... inner segments, and the choices made."""
    size = len(times)
    before = np.concatenate([[0], np.cumsum(counts)])
    examples = np.maximum(before[None, 1:] - before[:-1, None], 0)  # [from, to]
    time = np.maximum(np.maximum(times, outer_time), 1)[None, :]
    num_batches, rows = _shape(examples, time, batching.max_tokens)
    cost = (num_batches * rows * (times[None, :] + outer_time)).astype(np.float64)
    cost += UNFILLED_COST * (num_batches * batching.max_tokens - examples * time)
    cost[np.tril_indices(size, -1)] = np.inf
    best, totals, choices = cost[0], [cost[0, -1]], [np.zeros(size, np.int64)]
    for _ in range(min(batching.num_buckets, size) - 1):
        ways = np.concatenate([[np.inf], best[:-1]])[:, None] + cost
        choices.append(np.argmin(ways, axis=0))
        best = ways[choices[-1], np.arange(size)]
        totals.append(best[-1])
    return np.array(totals), choices


def _inner_cuts(choices: Any, parts: int, size: int) -> list[tuple[int, int]]:
    cuts, end = [], size
    for part in range(parts - 1, -1, -1):
        start = int(choices[part][end - 1])
        cuts.append((start, end))
        end = start
    return cuts
