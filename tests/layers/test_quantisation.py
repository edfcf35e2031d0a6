"""Rounded layers compute what integers of a few bits would: held against numbers computed by hand."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.convolution.conv1d import Conv1D
from seqcfg.layers.create import view
from seqcfg.layers.dense import Dense
from seqcfg.layers.embedding import Embedding
from seqcfg.layers.quantisation.rounding import rounded_activation, rounded_weight
from seqcfg.layers.quantisation.settings import Activations, Aware, Domain, Quantisation, Weights
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import RANGES, declare

AWARE = Quantisation(aware=Aware(decay=0.5, start_step=2, freeze_step=3))
KERNEL = np.array([[1.27, -0.3], [0.004, 0.101]], np.float32)


def quantised(layer, *widths, settings=AWARE):
    root = declare(layer, *widths)
    settings.declare(root)
    return root


def test_a_weight_of_8_bits_is_a_multiple_of_the_largest_over_127():
    found = rounded_weight(tf.constant(KERNEL), Weights()).numpy()
    np.testing.assert_allclose(found, [[1.27, -0.3], [0.0, 0.1]], atol=1e-6)  # the step is 0.01


def test_each_output_has_a_scale_of_its_own():
    found = rounded_weight(tf.constant(KERNEL), Weights(scales="channel", bits=3)).numpy()
    np.testing.assert_allclose(found, [[1.27, -0.3], [0.0, 0.1]], atol=1e-6)  # steps of 1.27 / 3 and 0.3 / 3


def test_each_row_of_a_table_has_a_scale_of_its_own():
    found = rounded_weight(tf.constant(KERNEL), Weights(scales="channel", bits=2), channel_axis=0).numpy()
    np.testing.assert_allclose(found, [[1.27, 0.0], [0.0, 0.101]], atol=1e-6)


def test_an_activation_of_2_bits_has_4_values_of_which_0_is_one():
    x = tf.constant([-1.0, -0.6, -0.4, 0.1, 0.9, 1.6, 2.0, 7.0])
    found = rounded_activation(x, tf.constant(-1.0), tf.constant(2.0), Activations(bits=2)).numpy()
    np.testing.assert_allclose(found, [-1, -1, 0, 0, 1, 2, 2, 2], atol=1e-6)


def test_a_symmetric_range_is_as_wide_below_0_as_above():
    x = tf.constant([-2.0, -0.9, 1.1, 3.0])
    found = rounded_activation(x, tf.constant(-1.0), tf.constant(2.0), Activations(bits=2, symmetric=True)).numpy()
    np.testing.assert_allclose(found, [-2, 0, 2, 2], atol=1e-6)


def test_gradients_pass_straight_through_but_for_what_is_outside_of_the_range():
    x = tf.constant([-3.0, -0.4, 0.3, 1.9, 2.5])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = rounded_activation(x, tf.constant(-1.0), tf.constant(2.0), Activations(bits=2))
    assert tape.gradient(y, x).numpy().tolist() == [0, 1, 1, 1, 0]
    kernel = tf.constant(KERNEL)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        y = tf.reduce_sum(rounded_weight(kernel, Weights(bits=2)) * KERNEL)
    np.testing.assert_array_equal(tape.gradient(y, kernel), KERNEL)


def run(root, tree, x, step, training=True):
    w = view(root, tree, training=training, step=tf.constant(step, tf.int64) if training else None)
    return w(tf.constant(x)), w.context.updates


def dense():
    root = quantised(Dense(units=2, use_bias=False), 2)
    return root, {"kernel": tf.constant(KERNEL), RANGES: tf.zeros(4)}


def test_ranges_are_set_move_and_freeze_while_rounding_starts_at_its_step():
    root, tree = dense()
    x = np.array([[1.0, 0.0], [0.0, -2.0]], np.float32)
    y, updates = run(root, tree, x, 0)
    np.testing.assert_allclose(y, x @ KERNEL, atol=1e-6)  # nothing is rounded before start_step
    np.testing.assert_allclose(updates[RANGES], [-2.0, 1.0, -0.3, 1.27], atol=1e-6)
    tree |= updates
    y, updates = run(root, tree, 2 * x, 2)
    np.testing.assert_allclose(updates[RANGES][:2], [0.5 * -2.0 + 0.5 * -4.0, 0.5 * 1.0 + 0.5 * 2.0], atol=1e-6)
    assert np.abs(y - 2 * x @ KERNEL).max() > 0.5  # -4 is outside of the range by now
    frozen = tree | updates
    _, after = run(root, frozen, 9 * x, 3)
    np.testing.assert_array_equal(after[RANGES], frozen[RANGES])


def test_a_step_with_infinite_numbers_moves_no_range():
    root, tree = dense()
    tree[RANGES] = tf.constant([-1.0, 1.0, -1.0, 1.0])
    _, updates = run(root, tree, [[np.inf, 1.0]], 0)
    np.testing.assert_array_equal(updates[RANGES], [-1.0, 1.0, -1.0, 1.0])


def test_outside_of_training_a_layer_rounds_to_its_ranges_and_not_at_all_while_it_has_none():
    root, tree = dense()
    x = np.array([[0.2, -0.1]], np.float32)
    y, updates = run(root, tree, x, None, training=False)
    kernel = np.array([[1.27, -0.3], [0.0, 0.1]], np.float32)
    np.testing.assert_allclose(y, x @ kernel, atol=1e-6)
    assert not updates
    tree[RANGES] = tf.constant([-1.275, 1.275, -2.55, 0.0])  # steps of 0.01
    y, _ = run(root, tree, x, None, training=False)
    np.testing.assert_allclose(y, [[0.0, -0.07]], atol=1e-6)  # 0.254 is above the range of results


@pytest.mark.parametrize("layer", [Conv1D(units=3, kernel_size=2), LSTM(units=3), Conv1D(units=3, kernel_size=1, use_bias=False)])
def test_layers_along_time_round_what_they_multiply(layer):
    root = quantised(layer, 4, settings=Quantisation(aware=Aware()))
    rng = np.random.default_rng(1)
    tree = {w.path: tf.constant(rng.normal(size=w.shape) if w.trainable else np.zeros(4), tf.float32) for w in root.all_weights()}
    x = Sequence(tf.constant(rng.normal(size=(2, 5, 4)), tf.float32))
    w = view(root, tree, training=True, step=tf.constant(0, tf.int64))
    with tf.GradientTape() as tape:
        tape.watch(list(tree.values()))
        rounded = w(x).values
    exact = view(declare(layer, 4), tree)(x).values
    assert 1e-4 < np.abs(rounded - exact).max() < 0.2
    assert {path for path in tree if path.startswith(RANGES)} == set(w.context.updates)
    after = view(root, tree | w.context.updates)(x).values
    np.testing.assert_allclose(after, rounded, atol=1e-5)
    kernel = next(path for path in tree if path.endswith("kernel"))
    assert np.abs(tape.gradient(rounded, tree[kernel])).max() > 0.1


def test_a_table_is_rounded_where_it_is_looked_up_and_where_it_is_multiplied():
    root = quantised(Embedding(dim=2), 2, settings=Quantisation(aware=Aware()))
    tree = {"table": tf.constant(KERNEL), f"{RANGES}:project": tf.zeros(4)}
    w = view(root, tree)
    rows = w(tf.constant([1, 0])).numpy()
    np.testing.assert_allclose(rows, [[0.0, 0.1], [1.27, -0.3]], atol=1e-6)
    np.testing.assert_allclose(w.project(tf.eye(2)), rows[::-1].T, atol=1e-6)


def test_the_first_domain_that_names_a_layer_decides_and_others_stay_in_floating_point():
    only = Quantisation(domains=[Domain(layers=["expand"], weights=None, activations=None), Domain(layers=["*"])])
    assert only.domain_of("expand").weights is None
    assert only.domain_of("output:query").weights == Weights()
    assert Quantisation(domains=[Domain(layers=["a/*"])]).domain_of("b/c") is None
