"""Convolution over time and frequency against sums in plain numpy, and what becomes of features, masks and lengths."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.composition.parallel import Parallel
from seqcfg.layers.composition.sequential import Sequential
from seqcfg.layers.convolution.conv2d import Conv2D
from seqcfg.layers.convolution.depthwise import DepthwiseConv2D
from seqcfg.layers.convolution.features import MergeFeatures, SplitFeatures, UnstackFrames
from seqcfg.layers.convolution.window import Window
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.normalization.batch_norm import BatchNorm
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import Misfit, declare
from seqcfg.plan.table import multiply_adds

X = tf.random.stateless_normal([1, 7, 5, 2], [1, 2])


def make(layer, width, **context):
    declaration = declare(layer, width)
    return view(declaration, initial_values(declaration, 7), **context)


@pytest.mark.parametrize(
    "fields, lefts",
    [
        ({"kernel_size": (3, 3)}, (1, 1)),
        ({"kernel_size": (3, 2), "stride": (2, 2)}, (1, 0)),
        ({"kernel_size": (2, 3), "causal": True}, (1, 1)),
        ({"kernel_size": (3, 3), "stride": (2, 1), "padding": "same"}, (1, 1)),
        ({"kernel_size": (3, 3), "stride": (2, 2), "padding": "aligned"}, (0, 0)),
        ({"kernel_size": (2, 3), "dilation": (3, 2)}, (1, 2)),
    ],
)
@pytest.mark.parametrize("cls", [Conv2D, DepthwiseConv2D])
def test_it_equals_the_stated_sum(cls, fields, lefts):
    layer = Conv2D(units=3, **fields) if cls is Conv2D else DepthwiseConv2D(multiplier=2, **fields)
    w = make(layer, (5, 2))
    kernel = w.kernel.numpy()
    if cls is DepthwiseConv2D:  # as a full kernel that is zero from one channel to the other
        full = np.zeros((*kernel.shape[:2], 2, 4))
        for channel in range(2):
            full[:, :, channel, 2 * channel : 2 * channel + 2] = kernel[:, :, channel]
        kernel = full
    expected = np.zeros((-(-7 // layer.stride[0]), -(-5 // layer.stride[1]), kernel.shape[-1]))
    for t, f, i, j in np.ndindex(*expected.shape[:2], *kernel.shape[:2]):
        at = [layer.stride[k] * at + layer.dilation[k] * tap - lefts[k] for k, (at, tap) in enumerate([(t, i), (f, j)])]
        if 0 <= at[0] < 7 and 0 <= at[1] < 5:
            expected[t, f] += X[0, at[0], at[1]].numpy() @ kernel[i, j]
    np.testing.assert_allclose(w(Sequence(X)).values[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("length", range(1, 12))
@pytest.mark.parametrize("size, stride", [(1, 1), (1, 2), (2, 2), (3, 2), (4, 3), (5, 1)])
def test_same_padding_is_tensorflow_s(length, size, stride):
    x, kernel = tf.random.stateless_normal([1, length, 1], [3, 4]), tf.random.stateless_normal([size, 1, 1], [5, 6])
    window = Window(size, stride)
    ours = tf.nn.conv1d(window.pad_time(x, "same", False), kernel, stride, "VALID")
    np.testing.assert_allclose(ours, tf.nn.conv1d(x, kernel, stride, "SAME"), atol=1e-6)
    if length % stride == 0:
        assert window.left("aligned", length) == window.left("same", length)


@pytest.mark.parametrize("length, up, down", [(1, 1, 0), (2, 1, 1), (3, 2, 1), (6, 3, 3), (7, 4, 3)])
def test_a_last_stride_that_is_not_whole_is_rounded_up_or_down(length, up, down):
    for rounding, real in (("up", up), ("down", down)):
        w = make(Conv2D(units=1, kernel_size=(3, 3), stride=(2, 2), rounding=rounding), (5, 2))
        out = w(Sequence(X, tf.sequence_mask([length], 7)))
        assert out.mask.numpy().tolist() == [[index < real for index in range(4)]]


def test_without_a_mask_a_stride_past_the_end_is_not_whole():
    out = make(Conv2D(units=1, kernel_size=(3, 3), stride=(2, 2), rounding="down"), (5, 2))(Sequence(X))
    assert out.mask.numpy().tolist() == [[True, True, True, False]]


def test_the_start_of_listen_attend_and_spell_has_lingvo_s_shapes():
    conv = {"kernel_size": (3, 3), "stride": (2, 2), "padding": "same", "rounding": "down", "use_bias": False}
    layers = [UnstackFrames(factor=3), SplitFeatures()]
    layers += [layer for _ in range(2) for layer in (Conv2D(units=32, **conv), BatchNorm(gain="one_plus"))]
    declaration = declare(Sequential(layers=[*layers, MergeFeatures()]), 240)
    assert declaration.output == 640  # rows of the first LSTM's kernel less its 1024 cells
    assert [w.shape for w in declaration.all_weights() if len(w.shape) > 1] == [(3, 3, 1, 32), (3, 3, 32, 32)]


def test_frames_are_unstacked_in_order():
    w = make(UnstackFrames(factor=2), 4)
    out = w(Sequence(tf.reshape(tf.range(8.0), [1, 2, 4]), tf.constant([[True, False]]), start=tf.constant(5)))
    assert out.values.numpy().tolist() == [[[0, 1], [2, 3], [4, 5], [6, 7]]]
    assert out.mask.numpy().tolist() == [[True, True, False, False]]
    assert int(out.start) == 10


def test_features_split_by_either_layout_and_merge_again():
    x = tf.reshape(tf.range(6.0), [1, 1, 6])
    assert make(SplitFeatures(channels=2), 6)(x).numpy().tolist() == [[[[0, 1], [2, 3], [4, 5]]]]
    first = make(SplitFeatures(channels=2, layout="channels_first"), 6)(x)
    assert first.numpy().tolist() == [[[[0, 3], [1, 4], [2, 5]]]]
    assert make(MergeFeatures(), (3, 2))(first).numpy().tolist() == [[[0, 3, 1, 4, 2, 5]]]


def test_batch_norm_of_a_map_takes_the_moments_of_a_channel_over_time_and_frequency():
    x = tf.constant([[[[1.0], [5.0]], [[3.0], [3.0]], [[90.0], [70.0]]]])
    w = make(BatchNorm(epsilon=1e-9), (2, 1), training=True, seed=tf.constant([1, 2]))
    out = w(Sequence(x, tf.constant([[True, True, False]]))).values  # mean 3, variance 2
    np.testing.assert_allclose(out[0, ..., 0], [[-(2**0.5), 2**0.5], [0, 0], [0, 0]], atol=1e-5)


def test_maps_are_concatenated_by_channels():
    layers = [Conv2D(units=3, kernel_size=(1, 1)), Conv2D(units=4, kernel_size=(3, 3))]
    assert declare(Parallel(layers=layers, combine="concat"), (5, 2)).output == (5, 7)
    with pytest.raises(Misfit, match="differ before their last axis"):
        declare(Parallel(layers=[layers[0], Conv2D(units=3, kernel_size=(1, 1), stride=(1, 2))], combine="concat"), (5, 2))


def test_what_does_not_fit_is_a_misfit():
    for layer, width in [(SplitFeatures(channels=4), 6), (UnstackFrames(factor=4), 6), (Conv2D(units=1, kernel_size=(1, 1)), 6)]:
        with pytest.raises(Misfit, match="divide|feature axes"):
            declare(layer, width)


def test_kernels_count_as_products():
    assert multiply_adds(declare(Conv2D(units=3, kernel_size=(3, 3)), (5, 2))) == 54
