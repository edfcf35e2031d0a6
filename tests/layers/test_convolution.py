"""Convolution against sums in plain numpy, its output masks and its lengths."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.convolution.conv1d import Conv1D
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare

X = tf.random.stateless_normal([1, 7, 2], [1, 2])


def make(layer):
    declaration = declare(layer, 2)
    return view(declaration, initial_values(declaration, 7))


@pytest.mark.parametrize("fields", [{}, {"causal": True}, {"stride": 2}, {"stride": 3, "causal": True}, {"dilation": 2}])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4])
def test_it_equals_the_stated_sum(kernel_size, fields):
    layer = Conv1D(units=3, kernel_size=kernel_size, **fields)
    w = make(layer)
    kernel, reach = w.kernel.numpy(), layer.dilation * (kernel_size - 1)
    left = reach if layer.causal else reach // 2
    expected = []
    for t in range(0, 7, layer.stride):
        taps = [(j, t + layer.dilation * j - left) for j in range(kernel_size)]
        expected.append(sum((X[0, at].numpy() @ kernel[j] for j, at in taps if 0 <= at < 7), np.zeros(3)))
    np.testing.assert_allclose(w(Sequence(X)).values[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("length, real", [(1, 1), (2, 1), (3, 2), (4, 2), (7, 4)])
def test_an_output_is_real_when_its_centre_is(length, real):
    out = make(Conv1D(units=3, kernel_size=3, stride=2))(Sequence(X, tf.sequence_mask([length], 7)))
    assert out.mask.numpy().tolist() == [[index < real for index in range(4)]]


def test_one_trace_serves_all_lengths():
    w = make(Conv1D(units=3, kernel_size=3, stride=2))
    call = tf.function(lambda x: w(Sequence(x)).values, input_signature=[tf.TensorSpec([None, None, 2])])
    for length in (1, 4, 7):
        np.testing.assert_allclose(call(X[:, :length]), w(Sequence(X[:, :length])).values, rtol=1e-5, atol=1e-6)


def test_stride_and_dilation_together_are_refused():
    assert [field for field, *_ in Conv1D(units=1, kernel_size=2, stride=2, dilation=2).check()] == ["dilation"]
