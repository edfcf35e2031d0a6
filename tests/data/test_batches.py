import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcfg.data import buckets
from seqcfg.data.batches import BatchPlan
from seqcfg.data.batching import Batching
from seqcfg.data.lines import read_lines
from seqcfg.data.root import data_folder
from seqcfg.errors import UserError


def lengths_of(seed, examples, longest=30):
    draw = np.random.default_rng(seed)
    target = draw.integers(1, longest + 1, examples)
    source = np.clip(target + draw.integers(-4, 5, examples), 1, longest)
    return {"source": source.astype(np.int32), "target": target.astype(np.int32)}


def epoch(plan, number):
    return [plan.batch(n) for n in range(number * plan.batches_per_epoch, (number + 1) * plan.batches_per_epoch)]


def real(batch):
    return [int(one) for one in batch.example_ids if one >= 0]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6), examples=st.integers(1, 300), max_tokens=st.sampled_from([30, 64, 200]), num_buckets=st.integers(1, 9),
    number=st.integers(0, 5), one_feature=st.booleans(),
)  # fmt: skip
def test_every_example_once_per_epoch_within_the_budget(seed, examples, max_tokens, num_buckets, number, one_feature):
    lengths = lengths_of(seed, examples)
    if one_feature:
        del lengths["source"]
    plan = BatchPlan(lengths, Batching(max_tokens=max_tokens, num_buckets=num_buckets, max_length=30), seed)
    batches = epoch(plan, number)
    assert sorted(itertools.chain.from_iterable(map(real, batches))) == list(range(examples))
    assert len(plan.buckets) <= num_buckets
    for batch in batches:
        assert len(batch.example_ids) * max(batch.time.values()) <= max_tokens
        assert real(batch)
        for name, length in lengths.items():
            assert length[real(batch)].max() <= batch.time[name]


@pytest.mark.parametrize("seed", range(5))
def test_real_rows_of_a_bucket_differ_by_at_most_one(seed):
    plan = BatchPlan(lengths_of(seed, 500), Batching(max_tokens=200, num_buckets=6, max_length=30), 0)
    sizes = {}
    for batch in epoch(plan, 0):
        sizes.setdefault(batch.bucket, []).append((len(real(batch)), len(batch.example_ids)))
    for one in sizes.values():
        assert max(count for count, _ in one) - min(count for count, _ in one) <= 1
        assert {rows for _, rows in one} == {max(count for count, _ in one)}


def test_a_batch_does_not_depend_on_what_was_asked_before():
    batching = Batching(max_tokens=100, num_buckets=4, max_length=30)
    lengths = lengths_of(3, 400)
    plan = BatchPlan(lengths, batching, 11)
    forward = [real(plan.batch(n)) for n in range(10)]
    assert [real(BatchPlan(lengths, batching, 11).batch(n)) for n in reversed(range(10))] == forward[::-1]


def test_epochs_and_seeds_differ_in_their_batches_and_their_order():
    batching = Batching(max_tokens=100, num_buckets=4, max_length=30)
    plan = BatchPlan(lengths_of(3, 400), batching, 11)
    first, second = epoch(plan, 0), epoch(plan, 1)
    assert Counter(batch.bucket for batch in first) == Counter(batch.bucket for batch in second)
    assert [batch.bucket for batch in first] != [batch.bucket for batch in second]
    assert not {frozenset(real(batch)) for batch in first if len(real(batch)) > 3} & {frozenset(real(batch)) for batch in second}
    assert [real(batch) for batch in first] != [real(batch) for batch in epoch(BatchPlan(lengths_of(3, 400), batching, 12), 0)]


def test_a_batch_of_the_millionth_epoch_is_found_as_well():
    plan = BatchPlan(lengths_of(3, 400), Batching(max_tokens=100, num_buckets=4, max_length=30), 1)
    batch = plan.batch(plan.batches_per_epoch * 10**6 + 5)
    assert batch.epoch == 10**6
    assert real(batch)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 64])
def test_the_parts_of_replicas_together_are_the_batch(parts):
    plan = BatchPlan(lengths_of(3, 400), Batching(max_tokens=100, num_buckets=4, max_length=30), 1)
    batch = plan.batch(17)
    slices = [batch.part(index, parts) for index in range(parts)]
    assert len({len(one.example_ids) for one in slices}) == 1
    assert list(itertools.chain.from_iterable(map(real, slices))) == real(batch)
    assert all(one.time == batch.time for one in slices)


def test_longer_examples_are_left_out_and_counted():
    lengths = {"source": np.array([5, 40, 5, 5]), "target": np.array([5, 5, 31, 30])}
    plan = BatchPlan(lengths, Batching(max_tokens=100, num_buckets=2, max_length=30), 0)
    assert (plan.num_examples, plan.num_left_out, plan.left_out.tolist()) == (2, 2, [1, 2])
    assert sorted(itertools.chain.from_iterable(map(real, epoch(plan, 0)))) == [0, 3]


def test_a_corpus_of_long_examples_only_is_refused():
    with pytest.raises(UserError, match="max_length = 3") as refusal:
        BatchPlan({"source": np.array([7, 9])}, Batching(max_tokens=10, max_length=3), 0)
    assert "7 tokens" in refusal.value.problems[0].hint


def test_the_padding_share_is_that_of_the_arrays():
    lengths = {"source": np.array([1, 2, 3, 4]), "target": np.array([4, 4, 4, 4])}
    plan = BatchPlan(lengths, Batching(max_tokens=16, num_buckets=1, max_length=9), 0)
    assert plan.batches_per_epoch == 1
    assert plan.padding_share == pytest.approx(1 - (10 + 16) / 32)


def test_more_buckets_mean_less_padding():
    lengths = lengths_of(1, 3000)
    shares = [BatchPlan(lengths, Batching(max_tokens=300, num_buckets=n, max_length=30), 0).padding_share for n in (1, 4, 16)]
    assert shares[0] > 0.4
    assert shares[1] < 0.6 * shares[0]
    assert shares[2] < 0.6 * shares[1]


@pytest.mark.parametrize("seed", range(12))
def test_bounds_are_the_cheapest_of_all_ways_to_cut(seed):
    """Brute force over every cut of up to 6 lengths into up to 3 buckets of one feature."""
    draw = np.random.default_rng(seed)
    counts, times = draw.integers(0, 40, 6), np.sort(draw.choice(np.arange(1, 20), 6, replace=False))
    counts[-1] = 1 + counts[-1]
    batching = Batching(max_tokens=40, num_buckets=3, max_length=20)

    def cost(first, last):
        examples, time = counts[first:last].sum(), times[last - 1]
        batches = -(-examples // (40 // time))
        rows = -(-examples // batches) if batches else 0
        return batches * rows * time + buckets.UNFILLED_COST * (batches * 40 - examples * time)

    ways = [[0, *middle, 6] for size in range(3) for middle in itertools.combinations(range(1, 6), size)]
    best = min(sum(cost(*pair) for pair in itertools.pairwise(way)) for way in ways)
    found = buckets._best_cuts(counts[:, None], [times, np.zeros(1, int)], batching)
    assert sum(cost(first, last) for first, last, _, _ in found) == pytest.approx(best)


def test_the_second_length_is_told_apart_within_the_first():
    """Two classes of sources at one target length: two buckets take all padding away."""
    lengths = {"source": np.array([2] * 20 + [20] * 20), "target": np.full(40, 10)}
    plan = BatchPlan(lengths, Batching(max_tokens=100, num_buckets=2, max_length=20), 0)
    assert plan.padding_share == 0
    assert {tuple(bucket.time.values()) for bucket in plan.buckets} == {(2, 10), (20, 10)}


@pytest.mark.skipif(not (data_folder() / "multi30k").exists(), reason="real data is not here")
def test_at_most_8_percent_of_the_batches_of_multi30k_is_padding():
    """Lengths in words stand for those in pieces, which take a trained tokenizer."""
    lengths = {}
    for name, language in (("source", "en"), ("target", "de")):
        file = data_folder() / "multi30k" / f"train.{language}.gz"
        lengths[name] = np.array([len(line.text.split()) + 1 for line in read_lines(file, file.name)])
    assert len(lengths["source"]) == 29_000
    assert BatchPlan(lengths, Batching(max_tokens=4096, num_buckets=40, max_length=100), 1).padding_share <= 0.08
