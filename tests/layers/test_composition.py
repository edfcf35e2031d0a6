"""Composition layers: what they compute, how their children are named, and what they refuse."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.activation import ActivationLayer
from seqcfg.layers.attention.multi_head import MultiHeadAttention
from seqcfg.layers.composition.parallel import Branch, Parallel
from seqcfg.layers.composition.residual import Residual
from seqcfg.layers.composition.sequential import Repeat, Sequential
from seqcfg.layers.composition.shared import Shared
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.dense import Dense
from seqcfg.layers.normalization.layer_norm import LayerNorm
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import Misfit, declare

RELU, SQUARE = ActivationLayer(function="relu"), ActivationLayer(function="squared_relu")
X = tf.constant([[[-1.0, 2.0, -3.0, 4.0]]])


def run(layer, x=X):
    declaration = declare(layer, x.shape[-1])
    return view(declaration, initial_values(declaration, 1))(Sequence(x)).values.numpy().ravel().tolist()


def paths(layer, dim=4):
    return [weight.path for weight in declare(layer, dim, path="top").all_weights()]


def test_sequential_applies_in_order():
    assert run(Sequential(layers=[SQUARE, RELU])) == [0, 4, 0, 16]
    assert run(Sequential(layers=[])) == [-1, 2, -3, 4]


def test_repeat_names_blocks_by_index():
    assert paths(Repeat(times=2, layer=Sequential(layers=[RELU, Dense(units=4, use_bias=False)]))) == [
        "top/blocks/0/layers/1/kernel",
        "top/blocks/1/layers/1/kernel",
    ]


def test_residual_adds_to_its_input():
    assert run(Residual(layer=SQUARE)) == [-1, 6, -3, 20]
    assert run(Residual(layer=SQUARE, scale=0.5)) == [-1, 4, -3, 12]
    assert run(Residual(layer=RELU, norm=SQUARE)) == [-1, 6, -3, 20]  # x + relu(norm(x))
    assert run(Residual(layer=RELU, norm=SQUARE, input="normalized")) == [0, 8, 0, 32]  # norm(x) + relu(norm(x))
    assert run(Residual(layer=RELU, norm=SQUARE, norm_position="after")) == [0, 16, 0, 64]  # norm(x + relu(x))


def test_residual_drops_only_the_layer_s_result():
    declaration = declare(Residual(layer=RELU, dropout=0.5), 4)
    x = tf.ones([1, 50, 4])
    out = view(declaration, {}, training=True, seed=tf.constant([1, 2]))(Sequence(x)).values
    assert set(np.unique(out)) == {1.0, 3.0}  # 1 + 0 and 1 + 2


def test_parallel_combines_results_on_one_input():
    assert run(Parallel(layers=[RELU, SQUARE])) == [0, 6, 0, 20]
    assert run(Parallel(layers=[RELU, SQUARE], combine="mean")) == [0, 3, 0, 10]
    assert run(Parallel(layers=[RELU, SQUARE], combine="concat")) == [0, 2, 0, 4, 0, 4, 0, 16]


def test_branch_gives_each_layer_its_part_of_the_features():
    assert run(Branch(layers=[RELU, SQUARE])) == [0, 2, 0, 16]


def test_shared_layers_have_one_set_of_weights():
    twice = Sequential(layers=[Shared(name="map", layer=Dense(units=4)), RELU, Shared(name="map", layer=Dense(units=4))])
    assert paths(twice) == ["top/layers/0/layer/kernel", "top/layers/0/layer/bias"]


def test_shared_layers_keep_their_own_caches():
    attention = MultiHeadAttention(num_heads=2, causal=True)
    declaration = declare(Sequential(layers=[Shared(name="a", layer=attention), Shared(name="a", layer=attention)]), 4)
    _, moving = view(declaration, initial_values(declaration, 1)).start(Sequence(X), 3)
    assert sorted(moving) == ["0", "1"]


def test_composition_keeps_tensors_tensors():
    """A head on [batch, dim] vectors may be a sequential, too."""
    declaration = declare(Sequential(layers=[Residual(layer=SQUARE), Parallel(layers=[RELU])]), 4)
    np.testing.assert_array_equal(view(declaration, {})(X[0]), [[0, 6, 0, 20]])


@pytest.mark.parametrize(
    "layer, path, message",
    [
        (Residual(layer=Dense(units=3)), "top", "the layer gives the width 3 and cannot be added to its input of 4"),
        (Parallel(layers=[Dense(units=3), RELU]), "top", "the widths [3, 4] cannot be combined by sum"),
        (Branch(layers=[RELU] * 3), "top", "3 layers do not divide the width 4 they are given"),
        (Sequential(layers=[RELU, MultiHeadAttention(num_heads=3)]), "top.layers.1", "3 does not divide the width 4 it is given"),
        (
            Sequential(layers=[Shared(name="a", layer=RELU), Shared(name="a", layer=SQUARE)]),
            "top.layers.1",
            "'a' is shared with top/layers/0/layer, which is set up differently",
        ),
    ],
)
def test_widths_that_do_not_fit_are_reported_at_their_place(layer, path, message):
    with pytest.raises(Misfit) as error:
        declare(layer, 4, path="top")
    assert (error.value.path, error.value.message) == (path, message)


def test_adding_a_normalised_input_needs_a_norm_before():
    assert [field for field, *_ in Residual(layer=RELU, input="normalized").check()] == ["input"]
    assert [field for field, *_ in Residual(layer=RELU, norm=LayerNorm(), norm_position="after", input="normalized").check()] == ["input"]
    assert not list(Residual(layer=RELU, norm=LayerNorm(), input="normalized").check())
