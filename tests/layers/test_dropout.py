"""Dropout: how many zeros, how they are scaled, and when the same ones come back."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.create import view
from seqcfg.layers.dropout import Dropout, keep_factors
from seqcfg.plan.declaration import declare


def run(rate, x, **context):
    return view(declare(Dropout(rate=rate), 8, path="block/dropout"), {}, **context)(x)


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.3, 0.5, 0.9])
def test_zeros_are_as_frequent_as_stated_and_the_mean_is_kept(rate):
    factors = keep_factors([400, 500], rate, tf.constant([1, 2]), tf.float32).numpy()
    zeros = (factors == 0).mean()
    assert zeros == pytest.approx(rate, rel=0.02, abs=4 * np.sqrt(rate * (1 - rate) / factors.size))
    kept = np.unique(factors[factors > 0])
    assert len(kept) == 1 and kept[0] == pytest.approx(1 / (1 - rate), rel=0.02)
    assert factors.mean() == pytest.approx(1, abs=5 * np.sqrt(rate / (1 - rate) / factors.size))


def test_the_factor_is_the_inverse_of_the_realised_chance():
    # 0.3 takes 8 bits: round(0.3 * 256) = 77 of 256 values are dropped.
    assert keep_factors([50], 0.3, tf.constant([1, 2]), tf.float32).numpy().max() == pytest.approx(256 / 179, rel=1e-6)
    # 0.001 of 256 rounds to none, so it takes 16 bits: 66 of 65536.
    assert keep_factors([50], 0.001, tf.constant([1, 2]), tf.float32).numpy().max() == pytest.approx(65536 / 65470, rel=1e-6)


def test_nothing_is_dropped_outside_training_or_at_rate_0():
    x = tf.ones([3, 5])
    assert run(0.5, x) is x
    assert run(0.0, x, training=True, seed=tf.constant([1, 2])) is x


def test_everything_is_dropped_at_rate_1():
    assert not run(1.0, tf.ones([3, 5]), training=True, seed=tf.constant([1, 2])).numpy().any()


def test_one_seed_gives_one_pattern_and_a_new_step_another():
    x = tf.ones([31, 7])
    first, again, later = (run(0.5, x, training=True, seed=tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(first, again)
    assert 0.3 < (first != later).mean() < 0.7


def test_two_draws_in_one_place_differ():
    w = view(declare(Dropout(rate=0.5), 8), {}, training=True, seed=tf.constant([1, 2]))
    x = tf.ones([40, 40])
    assert 0.3 < (w(x).numpy() != w(x).numpy()).mean() < 0.7


def test_compiled_and_plain_graphs_drop_the_same():
    x = tf.ones([33, 9])
    call = lambda x: run(0.3, x, training=True, seed=tf.constant([1, 2]))  # noqa: E731
    np.testing.assert_array_equal(tf.function(call)(x), tf.function(call, jit_compile=True)(x))
