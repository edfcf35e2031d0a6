"""Rounded layers compute what integers of a few bits would: held against numbers computed by hand."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.attention.additive import AdditiveAttention
from seqcfg.layers.convolution.conv1d import Conv1D
from seqcfg.layers.create import view
from seqcfg.layers.dense import Dense
from seqcfg.layers.embedding import Embedding
from seqcfg.layers.quantisation.rounding import rounded_activation, rounded_weight
from seqcfg.layers.quantisation.settings import Activations, Aware, Domain, Quantisation, Weights
from seqcfg.layers.recurrent.attention_decoder import AttentionDecoder
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import RANGES, Declaration, declare

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


def random_tree(root, rng):
    return {w.path: tf.constant(rng.normal(size=w.shape) if w.trainable else np.zeros(4), tf.float32) for w in root.all_weights()}


@pytest.mark.parametrize("layer", [Conv1D(units=3, kernel_size=2), Conv1D(units=3, kernel_size=1, use_bias=False)])
def test_layers_along_time_round_what_they_multiply(layer):
    root = quantised(layer, 4, settings=Quantisation(aware=Aware()))
    rng = np.random.default_rng(1)
    tree = random_tree(root, rng)
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


def rounded(x, low, high):
    step = (high - low) / 255
    return np.clip(np.rint(x / step), np.rint(low / step), np.rint(high / step)) * step


def rounded_matrix(kernel):
    step = np.abs(kernel).max() / 127
    return np.rint(kernel / step) * step


def lstm_by_hand(x, kernels, ranges):
    """An LSTM without bias on [time, dim] with both products rounded, and [least and largest input, result] of the recurrent one."""
    (first, second), (low, high, result_low, result_high) = map(rounded_matrix, kernels), ranges[":recurrent_kernel"]
    output, cell, seen = np.zeros(3), np.zeros(3), []
    for position in rounded(rounded(x, *ranges[":input"][:2]) @ first, *ranges[":input"][2:]):
        sums = rounded(output, low, high) @ second
        seen.append([output.min(), output.max(), sums.min(), sums.max()])
        g, i, f, o = np.split(position + rounded(sums, result_low, result_high), 4)
        cell = 1 / (1 + np.exp(-f - 1)) * cell + 1 / (1 + np.exp(-i)) * np.tanh(g)
        output = 1 / (1 + np.exp(-o)) * np.tanh(cell)
    lows, highs = np.min(seen, 0), np.max(seen, 0)
    return output, [lows[0], highs[1], lows[2], highs[3]]


def test_the_products_inside_the_loop_of_an_lstm_are_rounded_and_their_ranges_leave_it():
    root = quantised(LSTM(units=3, use_bias=False), 4, settings=Quantisation(aware=Aware(decay=0.0)))
    rng = np.random.default_rng(1)
    tree = random_tree(root, rng)
    x = rng.normal(size=(1, 5, 4)).astype(np.float32)
    ranges = {":input": [-3.0, 3.0, -6.0, 5.0], ":recurrent_kernel": [-0.5, 0.7, -2.0, 1.5]}
    tree |= {RANGES + name: tf.constant(value) for name, value in ranges.items()}
    kernels = tree["input_kernel"].numpy(), tree["recurrent_kernel"].numpy()
    wanted, _ = lstm_by_hand(x[0], kernels, ranges)
    evaluated = view(root, tree)(Sequence(tf.constant(x))).values
    np.testing.assert_allclose(evaluated[0, -1], wanted, atol=1e-5)
    w = view(root, tree, training=True, step=tf.constant(0, tf.int64))
    w(Sequence(tf.constant(x)))
    ranges[":input"] = w.context.updates[f"{RANGES}:input"].numpy()  # in training known before its own product is rounded
    _, seen = lstm_by_hand(x[0], kernels, ranges)
    np.testing.assert_allclose(w.context.updates[f"{RANGES}:recurrent_kernel"], seen, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (LSTM(units=3), "input recurrent_kernel"),
        (LSTM(units=3, projection=2, norm="layer"), "input recurrent_kernel projection"),
        (LSTM(units=3, kernels="joined", input_projection=2), "input recurrent_kernel gate_kernel"),
    ],
)
def test_every_kernel_of_an_lstm_has_a_range_and_gets_a_gradient(layer, names):
    root = quantised(layer, 4, settings=Quantisation(aware=Aware()))
    rng = np.random.default_rng(1)
    tree = random_tree(root, rng)
    x = Sequence(tf.constant(rng.normal(size=(2, 5, 4)), tf.float32))
    first = view(root, tree, training=True, step=tf.constant(0, tf.int64))
    first(x)
    assert set(first.context.updates) == {f"{RANGES}:{name}" for name in names.split()}
    tree |= first.context.updates
    kernels = [path for path in tree if not path.startswith(RANGES)]
    with tf.GradientTape() as tape:
        tape.watch([tree[path] for path in kernels])
        found = view(root, tree, training=True, step=tf.constant(1, tf.int64))(x).values
    exact = view(declare(layer, 4), tree)(x).values
    assert 1e-4 < np.abs(found - exact).max() < 0.2
    gradients = tape.gradient(found, [tree[path] for path in kernels])
    assert all(np.abs(gradient).max() > 0.01 for gradient in gradients)


def test_ranges_leave_the_loop_of_a_decoder_that_attends_at_each_position():
    root = Declaration(AttentionDecoder(cell=LSTM(units=3), attention=AdditiveAttention(hidden=2)))
    root.memory_width = 4
    root.output = root.component.declare(root, 4)
    Quantisation(aware=Aware()).declare(root)
    rng = np.random.default_rng(1)
    tree = random_tree(root, rng)
    memory = Sequence(tf.constant(rng.normal(size=(2, 3, 4)), tf.float32))
    x = Sequence(tf.constant(rng.normal(size=(2, 5, 4)), tf.float32), memory=memory)
    w = view(root, tree, training=True, step=tf.constant(0, tf.int64))
    w(x)
    tracked = {path.rpartition("/")[2]: value.numpy() for path, value in w.context.updates.items()}
    assert {"cell:input", "cell:recurrent_kernel"} <= set(tracked)
    assert all(low < high and result_low < result_high for low, high, result_low, result_high in tracked.values())


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
