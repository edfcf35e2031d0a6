"""Instances of layers that slide windows over time, and of those around them, for layer_examples.py."""

from seqcfg.layers.activation import ActivationLayer
from seqcfg.layers.attention.reach import Reach
from seqcfg.layers.attention.relative import RelativeAttention
from seqcfg.layers.composition.sequential import Sequential
from seqcfg.layers.convolution.conv1d import Conv1D
from seqcfg.layers.convolution.conv2d import Conv2D
from seqcfg.layers.convolution.depthwise import DepthwiseConv1D, DepthwiseConv2D
from seqcfg.layers.convolution.features import MergeFeatures, SplitFeatures, UnstackFrames
from seqcfg.layers.convolution.lightweight import DynamicConv, LightweightConv
from seqcfg.layers.convolution.pooling import Pool1D, Pool2D
from seqcfg.layers.convolution.transposed import TransposedConv1D
from seqcfg.layers.dropout import Dropout
from seqcfg.layers.gated_linear_unit import GatedLinearUnit
from seqcfg.layers.normalization.batch_norm import BatchNorm
from seqcfg.layers.normalization.group_norm import GroupNorm, InstanceNorm

LAYERS = {
    "conv1d": Conv1D(units=6, kernel_size=4, activation="relu"),
    "conv1d:stride": Conv1D(units=6, kernel_size=3, stride=2),
    "conv1d:causal": Conv1D(units=6, kernel_size=3, dilation=2, causal=True),
    "conv1d:pointwise": Conv1D(units=6, kernel_size=1, causal=True, use_bias=False),
    "conv1d:strided_causal": Conv1D(units=6, kernel_size=5, stride=2, causal=True),
    "conv1d:same": Conv1D(units=6, kernel_size=4, stride=2, padding="same", rounding="down"),
    "conv2d": Conv2D(units=3, kernel_size=(3, 3), stride=(2, 2), activation="relu"),
    "conv2d:same": Conv2D(units=3, kernel_size=(3, 2), padding="same", rounding="down", use_bias=False),
    "conv2d:causal": Conv2D(units=3, kernel_size=(3, 3), dilation=(2, 1), causal=True),
    "conv2d:strided_causal": Conv2D(units=3, kernel_size=(3, 3), stride=(2, 2), causal=True),
    "conv2d:normed": Sequential(layers=[Conv2D(units=3, kernel_size=(3, 3), causal=True), BatchNorm(), ActivationLayer(), Dropout()]),
    "depthwise_conv1d": DepthwiseConv1D(kernel_size=4, activation="silu"),
    "depthwise_conv1d:causal": DepthwiseConv1D(kernel_size=3, dilation=2, causal=True, multiplier=2, use_bias=False),
    "depthwise_conv1d:strided_causal": DepthwiseConv1D(kernel_size=5, stride=2, causal=True),
    "depthwise_conv2d": DepthwiseConv2D(kernel_size=(3, 3), multiplier=2),
    "depthwise_conv2d:causal": DepthwiseConv2D(kernel_size=(3, 2), stride=(1, 2), causal=True, use_bias=False),
    "dynamic_conv": DynamicConv(kernel_size=3, num_heads=2, dropout=0.1),
    "dynamic_conv:causal": DynamicConv(kernel_size=4, num_heads=4, causal=True, use_bias=True),
    "group_norm": GroupNorm(num_groups=2),
    "group_norm:cumulative": GroupNorm(num_groups=4, cumulative=True, gain="one_plus"),
    "group_norm:map": Sequential(layers=[SplitFeatures(channels=4), GroupNorm(num_groups=2, cumulative=True)]),
    "instance_norm": InstanceNorm(),
    "instance_norm:cumulative": InstanceNorm(cumulative=True, epsilon=0.1),
    "lightweight_conv": LightweightConv(kernel_size=3, num_heads=2, dropout=0.1),
    "lightweight_conv:causal": LightweightConv(kernel_size=4, num_heads=4, causal=True),
    "merge_features": MergeFeatures(),
    "split_features": SplitFeatures(channels=2),
    "split_features:stacked": SplitFeatures(channels=2, layout="channels_first"),
    "unstack_frames": UnstackFrames(factor=2),
    "gated_linear_unit": GatedLinearUnit(),
    "gated_linear_unit:mapped": GatedLinearUnit(units=5, activation="silu"),
    "pool1d": Pool1D(kernel_size=3, stride=2),
    "pool1d:causal": Pool1D(kernel_size=3, stride=2, causal=True, function="mean"),
    "pool2d": Pool2D(kernel_size=(3, 2), stride=(2, 2), function="mean"),
    "pool2d:causal": Pool2D(kernel_size=(3, 3), causal=True, padding="same"),
    "transposed_conv1d": TransposedConv1D(units=5, kernel_size=4, stride=2),
    "transposed_conv1d:causal": TransposedConv1D(units=5, kernel_size=5, stride=2, causal=True, activation="relu"),
    "relative_attention": RelativeAttention(num_heads=2, dropout=0.1),
    "relative_attention:causal": RelativeAttention(num_heads=2, reach=Reach(right=0), use_bias=False),
    "relative_attention:limited": RelativeAttention(num_heads=2, reach=Reach(left=2, right=1)),
    "relative_attention:chunks": RelativeAttention(num_heads=2, reach=Reach(left=3, right=0, chunk=2)),
}

WHOLE_SEQUENCE_ONLY = {"conv1d", "conv1d:same", "conv1d:stride", "conv2d", "conv2d:same", "depthwise_conv1d", "depthwise_conv2d"}
WHOLE_SEQUENCE_ONLY |= {"relative_attention", "relative_attention:limited"}
WHOLE_SEQUENCE_ONLY |= {"dynamic_conv", "group_norm", "instance_norm", "lightweight_conv", "pool1d", "pool2d", "transposed_conv1d"}
STRIDED = ["conv1d:strided_causal", "conv2d:strided_causal", "depthwise_conv1d:strided_causal", "pool1d:causal"]
STRIDES = dict.fromkeys([*STRIDED, "relative_attention:chunks"], 2)
CHANGES_LENGTH = {*STRIDES, "unstack_frames", "transposed_conv1d:causal"}
ON_MAPS = {"conv2d:normed"}  # by what they begin with
