"""Finding the largest logits in chunks gives what a full sort gives."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.decoding.best_tokens import FOR_XLA, best_tokens, chunk_size


@pytest.fixture(params=[False, True], ids=["sorting", "passes"], autouse=True)
def _way(request):
    before = FOR_XLA.set(request.param)
    yield
    FOR_XLA.reset(before)


@pytest.mark.parametrize("vocabulary, count", [(5, 5), (50, 9), (997, 9), (8000, 9), (1024, 1), (600, 40), (4097, 20)])
def test_chunks_find_what_sorting_finds(vocabulary, count):
    logits = np.random.default_rng(vocabulary).normal(size=[30, vocabulary]).astype(np.float32)
    values, ids = best_tokens(tf.constant(logits), count)
    order = np.argsort(-logits, axis=-1)[:, :count]
    np.testing.assert_array_equal(ids, order)
    np.testing.assert_array_equal(values, np.take_along_axis(logits, order, axis=-1))


def test_equal_and_impossible_logits_are_found_without_repeating_a_possible_one():
    logits = np.full([2, 300], -np.inf, np.float32)
    logits[0, [7, 200, 299]] = 1.0
    logits[1] = 2.0
    values, ids = (np.asarray(x) for x in best_tokens(tf.constant(logits), 5))
    assert set(ids[0][:3]) == {7, 200, 299} and (values[0, 3:] == -np.inf).all()
    assert len(set(ids[1])) == 5 and (values[1] == 2).all()


def test_ids_stay_in_range_when_logits_are_not_numbers():
    _, ids = best_tokens(tf.fill([3, 500], float("nan")), 4)
    assert (np.asarray(ids) >= 0).all() and (np.asarray(ids) < 500).all()


def test_chunks_divide_round_vocabularies():
    assert 8000 % chunk_size(8000, 9) == 0
    assert 32000 % chunk_size(32000, 9) == 0
