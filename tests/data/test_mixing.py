from collections import Counter

import numpy as np
import pytest

from seqcfg.data.batches import Batch, BatchPlan
from seqcfg.data.batching import Batching
from seqcfg.data.mixing import PERIOD, MixedPlan, Mixing, PhasedPlan, shares
from seqcfg.data.plans import whole_plan
from seqcfg.data.prepare import prepare
from seqcfg.data.settings import Data
from seqcfg.data.sources.reverse import Reverse
from seqcfg.data.tokenizers.byte import Bytes
from tests.data.small import make_experiment, translation_features

BATCHING = Batching(max_tokens=64, num_buckets=2, max_length=8)


def plan_of(count, seed=0):
    return BatchPlan({"x": np.random.default_rng(count).integers(1, 9, count)}, BATCHING, seed)


@pytest.fixture(scope="module")
def plans():
    return {"large": plan_of(900), "small": plan_of(90)}


def test_shares_are_exact_and_nobody_is_left_out():
    assert shares(np.array([3.0, 1.0])).tolist() == [PERIOD * 3 // 4, PERIOD // 4]
    assert shares(np.array([1.0, 1.0, 1.0])).sum() == PERIOD
    tiny = shares(np.array([1.0, 1e-9]))
    assert tiny.tolist() == [PERIOD - 1, 1]


@pytest.mark.parametrize("weight", [0.5, 0.1, 0.02])
def test_weights_hold_within_binomial_bounds_in_any_window(weight, plans):
    mixed = MixedPlan(plans, {"large": 1 - weight, "small": weight}, 5)
    for start in (0, 777, PERIOD - 500, 10 * PERIOD + 3):
        counts = Counter(mixed.batch(n).split for n in range(start, start + 400))
        assert abs(counts["small"] - 400 * weight) < 4.5 * np.sqrt(400 * weight * (1 - weight))


def test_each_split_runs_through_its_own_batches_in_their_order(plans):
    seen = {name: [] for name in plans}
    mixed = MixedPlan(plans, {"large": 3.0, "small": 1.0}, 1)
    mixed.plans.update({name: Recorder(plan, seen[name]) for name, plan in plans.items()})
    for number in range(PERIOD + 100):
        mixed.batch(number)
    for numbers in seen.values():
        assert numbers == list(range(len(numbers)))
    assert [len(seen[name]) > count for name, count in zip(plans, mixed.counts, strict=True)] == [True, True]


class Recorder:
    def __init__(self, plan, seen):
        self.plan, self.seen = plan, seen

    def batch(self, number):
        self.seen.append(number)
        return Batch(number, 0, 0, None, {})


def test_the_order_of_a_mixture_needs_no_history(plans):
    one, other = (MixedPlan(plans, {"large": 2.0, "small": 1.0}, 9) for _ in range(2))
    far = one.batch(3 * PERIOD + 12345)
    for number in range(50):
        other.batch(number)
    again = other.batch(3 * PERIOD + 12345)
    assert (far.split, far.number) == (again.split, again.number)
    np.testing.assert_array_equal(far.example_ids, again.example_ids)


def test_phases_follow_each_other():
    short, long = plan_of(50, 1), plan_of(60, 2)
    phased = PhasedPlan([(0, short), (10, long)])
    np.testing.assert_array_equal(phased.batch(9).example_ids, short.batch(9).example_ids)
    np.testing.assert_array_equal(phased.batch(10).example_ids, long.batch(0).example_ids)
    assert phased.batch(13).number == 13
    assert phased.batches_per_epoch == long.batches_per_epoch


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    splits = {"train": Reverse(num_examples=200), "more": Reverse(num_examples=50, seed=1), "test": Reverse(num_examples=9, seed=2)}
    experiment = make_experiment(splits, {"shared": Bytes()}, mixing=Mixing(splits=["train", "more"]))
    return prepare(experiment, data_root=".", cache_root=tmp_path_factory.mktemp("cache"))


def data(**fields):
    return Data(splits={"train": Reverse(), "more": Reverse()}, batching=Batching(max_tokens=200, num_buckets=2, max_length=40), **fields)


def test_temperature_lifts_small_splits(prepared):
    def share(**fields):
        plan = whole_plan(prepared.splits, data(mixing=Mixing(splits=["train", "more"], **fields)), translation_features(), 1)
        return plan.counts[1] / PERIOD

    tokens = [
        plan.tokens
        for plan in whole_plan(prepared.splits, data(mixing=Mixing(splits=["train", "more"])), translation_features(), 1).plans.values()
    ]
    assert share() == pytest.approx(tokens[1] / sum(tokens), abs=1e-4)
    assert share(temperature=5.0) == pytest.approx(tokens[1] ** 0.2 / (tokens[0] ** 0.2 + tokens[1] ** 0.2), abs=1e-4)


def test_a_curriculum_begins_with_short_examples_and_other_weights(prepared):
    from seqcfg.data.mixing import Phase

    curriculum = [Phase(until_batch=20, max_length=12, weights={"train": 1.0})]
    settings = data(mixing=Mixing(weights={"train": 1.0, "more": 1.0}), curriculum=curriculum)
    plan = whole_plan(prepared.splits, settings, translation_features(), 1)
    early, late = ([plan.batch(n) for n in numbers] for numbers in (range(20), range(20, 80)))
    assert max(max(batch.time.values()) for batch in early) <= 12 < max(max(batch.time.values()) for batch in late)
    assert {batch.split for batch in early} == {"train"}
    assert {batch.split for batch in late} == {"train", "more"}
    whole = whole_plan(prepared.splits, data(mixing=settings.mixing), translation_features(), 1)
    np.testing.assert_array_equal(plan.batch(20).example_ids, whole.batch(0).example_ids)


def test_mixtures_that_make_no_sense_are_refused():
    from seqcfg.data.mixing import Phase

    assert [field for field, _, _ in Mixing().check()] == ["weights"]
    assert [field for field, _, _ in Mixing(weights={"a": 0.0}).check()] == ["weights"]
    assert [field for field, _, _ in Mixing(weights={"a": 1.0}, temperature=2.0).check()] == ["temperature"]
    fields = [field for field, _, _ in data(mixing=Mixing(weights={"trian": 1.0})).check()]
    assert fields == ["mixing"]
    late = data(curriculum=[Phase(until_batch=5), Phase(until_batch=5), Phase(until_batch=9, weights={"x": 1.0})])
    assert [field for field, _, _ in late.check()] == ["curriculum.1.until_batch", "curriculum.2.weights"]
