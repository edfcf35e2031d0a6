import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcfg.data.batches import BatchPlan
from seqcfg.data.batching import Batching
from seqcfg.data.column_writer import ColumnWriter
from seqcfg.data.columns import Columns
from seqcfg.data.feature import Feature
from seqcfg.data.loader import Loader
from seqcfg.data.packing import PackedPlan, pack_lengths
from seqcfg.data.plans import training_plan
from seqcfg.errors import UserError

PACKING = Batching(max_tokens=96, max_length=24, packing=True)


def draw_lengths(seed, count, longest=30):
    draw = np.random.default_rng(seed)
    return {"source": draw.integers(1, longest, count), "target": draw.integers(1, longest, count)}


def epoch(plan, number):
    return [plan.batch(n) for n in range(number * plan.batches_per_epoch, (number + 1) * plan.batches_per_epoch)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=12, max_size=12))
def test_all_examples_find_a_row_and_no_row_is_too_long(counts):
    histogram = np.array([0, *counts])
    rows = pack_lengths(histogram, 12)
    placed = np.zeros(13, int)
    for count, template in rows:
        assert sum(template) <= 12
        for length in template:
            placed[length] += count
    assert placed.tolist() == histogram.tolist()


def test_rows_that_fill_up_exactly_are_found():
    """4 x 7, 2 x 5, 6 x 3, 4 x 2 in rows of 12: 7+5 twice, 7+3+2 twice, 3+3+3+3, 2+2."""
    histogram = np.zeros(13, int)
    histogram[[7, 5, 3, 2]] = 4, 2, 6, 4
    assert sum(count for count, _ in pack_lengths(histogram, 12)) == 6


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 200), st.integers(0, 3), st.booleans())
def test_every_example_that_fits_is_in_one_segment_of_the_epoch(seed, count, number, one_feature):
    lengths = draw_lengths(seed, count)
    if one_feature:
        del lengths["target"]
    longest = np.maximum.reduce(list(lengths.values()))
    if not (longest <= 24).any():
        return
    plan = PackedPlan(lengths, PACKING, seed)
    seen = [int(one) for batch in epoch(plan, number) for one in batch.example_ids[batch.example_ids >= 0]]
    assert sorted(seen) == np.flatnonzero(longest <= 24).tolist()
    for batch in epoch(plan, number):
        assert len(batch.example_ids) * 24 <= 96
        assert (np.where(batch.example_ids >= 0, longest[batch.example_ids], 0).sum(axis=1) <= 24).all()


def test_a_batch_does_not_depend_on_those_before_and_epochs_differ():
    lengths = draw_lengths(1, 300, longest=9)
    plan = PackedPlan(lengths, PACKING, 7)
    np.testing.assert_array_equal(plan.batch(40).example_ids, PackedPlan(lengths, PACKING, 7).batch(40).example_ids)
    first, second = ({frozenset(row[row >= 0]) for batch in epoch(plan, n) for row in batch.example_ids} for n in (0, 1))
    assert len(first & second) < 0.2 * len(first)


def test_packing_leaves_little_padding_where_buckets_leave_more():
    draw = np.random.default_rng(0)
    lengths = {"text": np.clip(draw.geometric(0.05, 3000), 1, 64)}
    packed = PackedPlan(lengths, Batching(max_tokens=512, max_length=64, packing=True), 0)
    assert packed.padding_share < 0.02
    assert packed.padding_share < BatchPlan(lengths, Batching(max_tokens=512, max_length=64, num_buckets=8), 0).padding_share / 3


def test_equal_short_examples_fill_their_rows():
    assert pack_lengths(np.array([0, 0, 0, 100, *[0] * 9]), 12) == [(25, (3, 3, 3, 3))]


@pytest.fixture
def columns(tmp_path):
    feature, draw, rows = Feature("text", "t"), np.random.default_rng(0), []
    writer = ColumnWriter(tmp_path, "text", feature, 50)
    rows = [draw.integers(4, 50, draw.integers(1, 11)).tolist() for _ in range(40)]
    writer.append(rows)
    return Columns(tmp_path, {"examples": 40, "columns": {"text": writer.close()}}), {"text": feature}, rows


def test_segments_and_positions_tell_the_examples_of_a_row_apart(columns):
    stored, features, rows = columns
    loader = Loader(stored, training_plan(stored, features, PACKING, 3), features)
    for number in range(loader.plan.batches_per_epoch):
        batch, arrays = loader.plan.batch(number), loader.load(number)
        assert set(arrays) == {"text", "text_length", "text_segments", "text_positions"}
        for row, examples in enumerate(batch.example_ids):
            for place, example in enumerate(examples):
                here = arrays["text_segments"][row] == place + 1
                assert arrays["text"][row][here].tolist() == (rows[example] if example >= 0 else [])
                assert arrays["text_positions"][row][here].tolist() == list(range(here.sum()))
        padding = arrays["text_segments"] == 0
        assert not arrays["text"][padding].any()
        np.testing.assert_array_equal(arrays["text_length"], (~padding).sum(axis=1))
        parts = [loader.load(number, part, 2) for part in range(2)]
        for name, whole in arrays.items():
            np.testing.assert_array_equal(np.concatenate([part[name] for part in parts])[: len(whole)], whole)


def test_what_is_not_tokens_is_not_packed(tmp_path):
    writer = ColumnWriter(tmp_path, "audio", Feature("audio", dtype="float32"))
    writer.append([[0.5], [0.25]])
    stored = Columns(tmp_path, {"examples": 2, "columns": {"audio": writer.close()}})
    features = {"audio": Feature("audio", dtype="float32"), "image": Feature("image", is_ragged=False)}
    with pytest.raises(UserError, match="'image' of the task cannot be packed"):
        training_plan(stored, features, PACKING, 0)


def test_rows_are_dealt_to_batches_evenly():
    plan = PackedPlan(draw_lengths(2, 500), PACKING, 0)
    sizes = [int((batch.example_ids >= 0).any(axis=1).sum()) for batch in epoch(plan, 0)]
    assert max(sizes) - min(sizes) <= 1
    assert list(itertools.chain([plan.rows])) == [max(sizes)]
