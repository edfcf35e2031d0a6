"""What a plan costs: counted, not timed."""

import tracemalloc

import numpy as np
import pytest

from seqcfg.data import members, order
from seqcfg.data.batches import BatchPlan
from seqcfg.data.batching import Batching
from seqcfg.data.column_writer import ColumnWriter
from seqcfg.data.columns import Columns
from seqcfg.data.feature import Feature
from seqcfg.data.loader import Loader

BATCHING = Batching(max_tokens=512, num_buckets=8, max_length=64)


class Synthetic:
    """Lengths of `count` examples that are computed when they are asked for, and take no memory."""

    def __init__(self, count, factor):
        self.count, self.factor = count, factor

    def __len__(self):
        return self.count

    def __getitem__(self, which):
        index = np.arange(*which.indices(self.count))
        return 1 + (index * self.factor + index // 7) % 61


def lengths(count):
    return {"source": Synthetic(count, 17), "target": Synthetic(count, 17)}


@pytest.fixture
def counted(monkeypatch):
    """Counts passes of the permutation's network per number, and examples whose class is looked at."""
    counts = {"network": 0, "looked_at": 0}

    def network(self, values, original=order.Permutation._network):
        counts["network"] += np.size(values)
        return original(self, values)

    def flatnonzero(values, original=np.flatnonzero):
        counts["looked_at"] += np.size(values)
        return original(values)

    monkeypatch.setattr(order.Permutation, "_network", network)
    monkeypatch.setattr(
        members,
        "np",
        type("Counted", (), {"__getattr__": lambda self, name: flatnonzero if name == "flatnonzero" else getattr(np, name)})(),
    )
    return counts


SMALL, LARGE = (10**4, 10**5, 10**6), (10**4, 10**6, 10**7, 10**8)


@pytest.mark.parametrize(("listed", "sizes"), [(True, SMALL), (False, SMALL), pytest.param(False, LARGE, marks=pytest.mark.slow)])
def test_a_batch_costs_the_same_whatever_its_number_and_the_size_of_the_corpus(listed, sizes, counted, monkeypatch):
    monkeypatch.setattr(members, "LISTED_EXAMPLES", 1 << 40 if listed else 0)
    costs = {}
    for size in sizes:
        plan = BatchPlan(lengths(size), BATCHING, 3)
        for number in (0, plan.batches_per_epoch * 1000 + 7, 10**12 + 1):
            counted.update(network=0, looked_at=0)
            rows = sum(plan.batch(number + step).num_examples for step in range(40))
            costs[size, number] = counted["network"] / rows, counted["looked_at"] / rows
    for (size, number), (passes, seen) in costs.items():
        print(f"{size:,} examples, batches from {number:,}: {passes:.2f} passes and {seen:.0f} examples looked at per example")
    network, looked_at = zip(*costs.values(), strict=True)
    assert max(network) < 2.6  # at most about two passes per example, and one for the order of batches
    assert max(looked_at) <= (0 if listed else 1024)


def test_blocks_find_the_same_examples_as_lists(monkeypatch):
    listed = BatchPlan(lengths(5000), BATCHING, 1)
    monkeypatch.setattr(members, "LISTED_EXAMPLES", 0)
    monkeypatch.setattr(members, "CHUNK", 777)
    blocks = BatchPlan(lengths(5000), BATCHING, 1)
    assert listed.padding_share == blocks.padding_share
    for number in (0, 5, 1234):
        np.testing.assert_array_equal(listed.batch(number).example_ids, blocks.batch(number).example_ids)


def test_examples_that_are_too_long_are_left_out_of_blocks_and_lists_alike(monkeypatch):
    short = Batching(max_tokens=100, num_buckets=3, max_length=20)
    listed = BatchPlan(lengths(3000), short, 1)
    monkeypatch.setattr(members, "LISTED_EXAMPLES", 0)
    blocks = BatchPlan(lengths(3000), short, 1)
    np.testing.assert_array_equal(listed.left_out, blocks.left_out)
    seen = np.concatenate([blocks.batch(n).example_ids for n in range(blocks.batches_per_epoch)])
    assert sorted([*seen[seen >= 0], *blocks.left_out]) == list(range(3000))


@pytest.mark.parametrize("size", [pytest.param(10**6, id="1e6"), pytest.param(10**8, id="1e8", marks=pytest.mark.slow)])
def test_a_plan_takes_little_memory(size, monkeypatch):
    monkeypatch.setattr(members, "LISTED_EXAMPLES", 1 << 18)
    tracemalloc.start()
    plan = BatchPlan(lengths(size), Batching(max_tokens=4096, num_buckets=40, max_length=100), 1)
    plan.batch(10**9)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{size:,} examples: {peak / 1e6:.0f} MB at most")
    assert peak < size + (200 << 20)  # a byte per example, tables of blocks, and one chunk of examples at work
    assert peak < 300e6


@pytest.mark.parametrize("replicas", [1, 2, 4, 8])
def test_the_slices_of_all_replicas_are_the_global_batch_bit_by_bit_at_every_step(replicas, tmp_path):
    features, draw = {"x": Feature("x", "t"), "frames": Feature("f", dtype="float32", frame=(2,))}, np.random.default_rng(0)
    entry = {}
    for name, feature in features.items():
        writer = ColumnWriter(tmp_path, name, feature, 50)
        writer.append([draw.integers(4, 50, [draw.integers(1, 12), *feature.frame]).tolist() for _ in range(90)])
        entry[name] = writer.close()
    columns = Columns(tmp_path, {"examples": 90, "columns": entry})
    plan = BatchPlan({name: columns.lengths(name) for name in features}, Batching(max_tokens=64, num_buckets=3, max_length=12), 2)
    loader = Loader(columns, plan, features)
    for number in range(2 * plan.batches_per_epoch):
        whole = loader.load(number)
        parts = [loader.load(number, part, replicas) for part in range(replicas)]
        for name, array in whole.items():
            union = np.concatenate([part[name] for part in parts])
            assert union[: len(array)].tobytes() == array.tobytes()
            assert not union[len(array) :].any()
