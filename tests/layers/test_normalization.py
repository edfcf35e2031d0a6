"""Norms by hand, their gradients, and what batch normalisation stores."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.create import view
from seqcfg.layers.normalization.batch_norm import BatchNorm
from seqcfg.layers.normalization.layer_norm import LayerNorm, normalize_rows
from seqcfg.layers.normalization.rms_norm import RMSNorm
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare


def test_layer_norm_by_hand():
    # Mean 4, variance 4: (2, 4, 4, 6) becomes (-1, 0, 0, 1) * sqrt 2 for variance 2.
    w = view(declare(LayerNorm(epsilon=1e-12), 4), {"gain": tf.constant([1.0, 1, 1, 2]), "bias": tf.constant([0.0, 0, 3, 0])})
    np.testing.assert_allclose(w(tf.constant([[2.0, 4, 4, 6]])), [[-(2**0.5), 0, 3, 2 * 2**0.5]], atol=1e-6)


def test_rms_norm_by_hand():
    w = view(declare(RMSNorm(gain="one_plus", epsilon=1e-12), 2), {"gain": tf.constant([0.0, 1.0])})
    np.testing.assert_allclose(w(tf.constant([[1.0, 7.0]])), [[0.2, 2.8]], atol=1e-6)  # root mean square 5


def plain(x, gain, bias):
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-6) * gain + bias


def test_layer_norm_s_own_gradient_is_the_automatic_one():
    x, gain, bias = (tf.random.stateless_normal(shape, [1, 2]) for shape in ([5, 8], [8], [8]))
    factor = tf.random.stateless_normal([5, 8], [3, 4])
    for ours, theirs in zip(
        *[gradients(form, x, gain, bias, factor) for form in (lambda *a: normalize_rows(*a, 1e-6), plain)], strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def gradients(form, x, gain, bias, factor):
    """First derivatives by x, gain and bias, and the derivative by x of the squared length of the first one."""
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch([x, gain, bias])
            loss = tf.reduce_sum(form(x, gain, bias) * factor)
        first = tape.gradient(loss, [x, gain, bias])
        penalty = tf.reduce_sum(tf.square(first[0]))
    return [*first, outer.gradient(penalty, x)]


def test_batch_norm_takes_the_moments_of_real_positions():
    x = tf.constant([[[1.0], [3.0], [100.0]]])
    declaration = declare(BatchNorm(decay=0.9, epsilon=1e-9), 1)
    tree = {name: tf.constant([value]) for name, value in {"gain": 1.0, "bias": 0.0, "moving_mean": 10.0, "moving_variance": 5.0}.items()}
    w = view(declaration, tree, training=True, seed=tf.constant([1, 2]))
    out = w(Sequence(x, tf.constant([[True, True, False]]))).values
    np.testing.assert_allclose(out[0, :, 0], [-1, 1, 0], atol=1e-5)  # mean 2, variance 1
    updates = {path: float(value[0]) for path, value in w.context.updates.items()}
    assert updates == pytest.approx({"moving_mean": 0.9 * 10 + 0.1 * 2, "moving_variance": 0.9 * 5 + 0.1 * 1})


def test_batch_norm_changes_nothing_outside_training():
    w = view(declare(BatchNorm(), 1), {name: tf.ones([1]) for name in ("gain", "bias", "moving_mean", "moving_variance")})
    w(Sequence(tf.zeros([1, 2, 1])))
    assert not w.context.updates
