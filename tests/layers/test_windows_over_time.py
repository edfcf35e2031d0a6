"""Lightweight, dynamic and transposed convolutions, pooling and norms over time: by their formulas, and by hand."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.convolution.lightweight import DynamicConv, LightweightConv, weighted_sums
from seqcfg.layers.convolution.pooling import Pool1D, Pool2D
from seqcfg.layers.convolution.transposed import TransposedConv1D
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.normalization.group_norm import GroupNorm, InstanceNorm
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import Misfit, declare

X = tf.random.stateless_normal([1, 7, 4], [1, 2])


def make(layer, width=4):
    declaration = declare(layer, width)
    return view(declaration, initial_values(declaration, 7))


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@pytest.mark.parametrize("kernel_size, causal, left", [(3, False, 1), (4, False, 1), (3, True, 2)])
def test_weights_of_a_head_add_up_to_one_and_serve_its_features(kernel_size, causal, left):
    fields = {"kernel_size": kernel_size, "num_heads": 2, "causal": causal}
    light, dynamic = make(LightweightConv(**fields)), make(DynamicConv(**fields))
    fixed = softmax(light.kernel.numpy(), 0)  # [tap, head]
    each = softmax((X[0].numpy() @ dynamic.kernel.numpy()).reshape(7, 2, kernel_size), 2)  # [time, head, tap]
    for w, weight in ((light, lambda t, head, j: fixed[j, head]), (dynamic, lambda t, head, j: each[t, head, j])):
        expected = np.zeros([7, 4])
        for t, c, j in np.ndindex(7, 4, kernel_size):
            if 0 <= t + j - left < 7:
                expected[t, c] += weight(t, c // 2, j) * X[0, t + j - left, c].numpy()
        np.testing.assert_allclose(w(Sequence(X)).values[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("time", "taps"), [(37, 3), (16, 5), (33, 20), (5, 1)])
def test_sums_by_blocks_are_those_over_taps(time, taps):
    weights = tf.random.stateless_normal([2, time, 3, taps], [1, 2])
    padded = tf.random.stateless_normal([2, time + taps - 1, 3, 4], [3, 4])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([weights, padded])
        plain = tf.add_n([weights[..., tap, tf.newaxis] * padded[:, tap : tap + time] for tap in range(taps)])
        found = weighted_sums(weights, padded)
        losses = [tf.reduce_sum(tf.sin(one)) for one in (plain, found)]
    np.testing.assert_allclose(found, plain, rtol=1e-5, atol=1e-5)
    for one, other in zip(*(tape.gradient(loss, [weights, padded]) for loss in losses), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("causal, left", [(False, 1), (True, 0)])
def test_transposed_convolution_spreads_each_position(causal, left):
    w = make(TransposedConv1D(units=3, kernel_size=5, stride=2, causal=causal))
    expected = np.zeros([14, 3])
    for t, j in np.ndindex(7, 5):
        if 0 <= 2 * t + j - left < 14:
            expected[2 * t + j - left] += w.kernel.numpy()[j] @ X[0, t].numpy()
    out = w(Sequence(X, tf.sequence_mask([7], 7)))
    np.testing.assert_allclose(out.values[0], expected, rtol=1e-5, atol=1e-5)
    assert out.mask.shape == [1, 14]


def test_taps_below_the_stride_are_refused():
    assert [field for field, *_ in TransposedConv1D(units=1, kernel_size=1, stride=2).check()] == ["kernel_size"]


def test_pooling_leaves_padding_and_what_lies_outside_out():
    x = Sequence(tf.constant([[[-4.0], [-2.0], [-6.0], [99.0], [99.0]]]), tf.sequence_mask([3], 5))
    for function, expected in (("max", [-2, -6, 0]), ("mean", [-3, -6, 0])):
        out = make(Pool1D(function=function, kernel_size=2, stride=2), 1)(x)
        assert out.values[0, :, 0].numpy().tolist() == expected
        assert out.mask.numpy().tolist() == [[True, True, False]]


def test_pooling_of_maps_takes_time_and_frequency():
    x = Sequence(tf.constant([[[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]]]))
    assert make(Pool2D(kernel_size=(2, 2), stride=(2, 2)), (3, 1))(x).values[0, ..., 0].numpy().tolist() == [[5, 6]]
    mean = make(Pool2D(kernel_size=(2, 2), stride=(2, 2), function="mean", padding="aligned"), (3, 1))
    assert mean(x).values[0, ..., 0].numpy().tolist() == [[3, 4.5]]


def test_group_norm_takes_the_moments_of_an_example_and_a_group():
    x = tf.constant([[[1.0, 3, 10, 10], [3, 1, 30, 30], [9, 9, 9, 9]]])
    out = make(GroupNorm(num_groups=2, epsilon=1e-9))(Sequence(x, tf.sequence_mask([2], 3))).values
    np.testing.assert_allclose(out[0], [[-1, 1, -1, -1], [1, -1, 1, 1], [0, 0, 0, 0]], atol=1e-4)


def test_instance_norm_takes_each_feature_by_itself():
    x = tf.constant([[[1.0, 10], [3, 30], [9, 9]]])
    out = make(InstanceNorm(epsilon=1e-9), 2)(Sequence(x, tf.sequence_mask([2], 3))).values
    np.testing.assert_allclose(out[0], [[-1, -1], [1, 1], [0, 0]], atol=1e-4)


def test_cumulative_moments_are_those_so_far():
    x = np.array([2.0, 4, 9, 1])
    means = np.cumsum(x) / np.arange(1, 5)
    variances = np.cumsum((x - means) ** 2) / np.arange(1, 5)
    out = make(InstanceNorm(cumulative=True, epsilon=0.5), 1)(Sequence(tf.constant(x[np.newaxis, :, np.newaxis], tf.float32)))
    np.testing.assert_allclose(out.values[0, :, 0], (x - means) / np.sqrt(variances + 0.5), rtol=1e-5)


def test_what_does_not_divide_the_width_is_a_misfit():
    for layer in (LightweightConv(kernel_size=3, num_heads=3), DynamicConv(kernel_size=3, num_heads=3), GroupNorm(num_groups=3)):
        with pytest.raises(Misfit, match="divide the width 4"):
            declare(layer, 4)
    with pytest.raises(Misfit, match="no gaps"):
        declare(Pool2D(kernel_size=(2, 2), dilation=(2, 1)), (4, 1))
