"""Buckets: the length classes of a corpus, chosen so that little of a batch is padding and most batches are full."""

from __future__ import annotations

import dataclasses
from typing import Any

from seqcfg.data.batching import Batching
from seqcfg.data.members import Members, chunks, class_dtype
from seqcfg.lazy import np

MAX_LEVELS = 32  # lengths are told apart this finely while bounds are searched; the bounds found are tight afterwards
UNFILLED_COST = 0.25  # price of one unused token of a batch's budget, where a padded token costs 1


@dataclasses.dataclass(frozen=True)
class Bucket:
    """Examples that are batched together.

    size         number of examples
    time         steps of each feature, padding included
    num_batches, rows  `num_batches` batches of `rows` rows; their real rows differ by at most one
    """

    size: int
    time: dict[str, int]
    num_batches: int
    rows: int

    @property
    def positions(self) -> int:
        """Positions of all features in all batches, padding included."""
        return self.num_batches * self.rows * sum(self.time.values())


@dataclasses.dataclass(frozen=True)
class Census:
    """What is known of the lengths after one look at them.

    outer, inner  int64 [max_length + 1]: examples by the last feature's length, and by the longest other one's
    tokens, fitting, shortest  over the examples that are short enough; the shortest of all
    """

    outer: Any
    inner: Any
    tokens: int
    fitting: int
    shortest: int


def take_census(lengths: dict[str, Any], max_length: int) -> Census:
    """Counts lengths, a chunk of examples at a time."""
    outer, inner = np.zeros([max_length + 1], np.int64), np.zeros([max_length + 1], np.int64)
    tokens, shortest = 0, -1
    for _, parts in chunks(lengths):
        longest = np.maximum.reduce(parts)
        fits = longest <= max_length
        smallest = int(longest.min(initial=np.iinfo(np.int64).max))
        shortest = smallest if shortest < 0 else min(shortest, smallest)
        first, second = _axes([part[fits] for part in parts])
        outer += np.bincount(first, minlength=max_length + 1)
        inner += np.bincount(second, minlength=max_length + 1)
        tokens += int(sum(part[fits].sum() for part in parts))
    return Census(outer, inner, tokens, int(outer.sum()), shortest)


def make_buckets(lengths: dict[str, Any], census: Census, batching: Batching) -> tuple[list[Bucket], Members]:
    """At most `num_buckets` buckets, and the members of each; lengths are int [examples] by feature, read in chunks."""
    levels = [_levels(census.outer), _levels(census.inner)]
    shape = [len(level) for level in levels]
    counts = np.zeros([shape[0] * shape[1]], np.int64)
    for _, parts in chunks(lengths):
        parts = [part[np.maximum.reduce(parts) <= batching.max_length] for part in parts]
        counts += np.bincount(_cell(parts, levels), minlength=len(counts))
    table = np.zeros(shape, np.int64)
    sizes: list[int] = []
    for first, last, a, b in _best_cuts(counts.reshape(shape), levels, batching):
        if (size := int(counts.reshape(shape)[first:last, a:b].sum())) > 0:
            table[first:last, a:b] = len(sizes)
            sizes.append(size)
    dtype = class_dtype(len(sizes))
    total = len(next(iter(lengths.values())))
    classes, time = np.full([total], np.iinfo(dtype).max, dtype), np.ones([len(lengths), len(sizes)], np.int64)
    for place, parts in chunks(lengths):
        fits = np.maximum.reduce(parts) <= batching.max_length
        parts = [part[fits] for part in parts]
        found = table.reshape(-1)[_cell(parts, levels)]
        classes[place][fits] = found
        for row, part in zip(time, parts, strict=True):
            np.maximum.at(row, found, part)
    buckets = []
    for number, size in enumerate(sizes):
        steps = {name: int(time[row, number]) for row, name in enumerate(lengths)}
        num_batches, rows = _shape(size, max(steps.values()), batching.max_tokens)
        buckets.append(Bucket(size, steps, int(num_batches), int(rows)))
    return buckets, Members(classes, np.array(sizes, np.int64))


def _shape(examples: Any, time: Any, max_tokens: int) -> tuple[Any, Any]:
    """Number of batches and rows of each, for int arrays of examples and steps."""
    num_batches = -(-examples // np.maximum(max_tokens // time, 1))
    return num_batches, -(-examples // np.maximum(num_batches, 1))


def _axes(parts: list[Any]) -> tuple[Any, Any]:
    """The lengths that tell classes apart: the last feature's, and the longest other feature's."""
    *others, outer = parts
    return outer, np.maximum.reduce(others) if others else np.zeros_like(outer)


def _cell(parts: list[Any], levels: list[Any]) -> Any:
    outer, inner = (np.searchsorted(level, length) for level, length in zip(levels, _axes(parts), strict=True))
    return outer * len(levels[1]) + inner


def _levels(histogram: Any) -> Any:
    """At most MAX_LEVELS upper bounds that cut the lengths into parts of about equal numbers of tokens."""
    values = np.flatnonzero(histogram)
    if len(values) <= MAX_LEVELS:
        return values
    mass = np.cumsum(values * histogram[values])
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
