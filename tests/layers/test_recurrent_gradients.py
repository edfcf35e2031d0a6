"""The gradients that recurrent layers write out are those of their equations, and what they cost in operations."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.create import initial_values, view
from seqcfg.layers.recurrent.conv_lstm import ConvLSTM
from seqcfg.layers.recurrent.gru import GRU
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.layers.recurrent.qrnn import QRNN
from seqcfg.layers.recurrent.sru import SRU
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare

X = tf.random.stateless_normal([3, 6, 4], [1, 2])
MASK = tf.constant([[True] * 6, [True] * 4 + [False] * 2, [False, True, True, False, True, False]])
LAYERS = {
    "lstm": LSTM(units=5),
    "lstm with a cap": LSTM(units=5, cell_cap=0.1),
    "lstm without bias": LSTM(units=5, use_bias=False),
    "lstm, weight norm": LSTM(units=5, norm="weight"),
    "lstm, layer norm": LSTM(units=5, norm="layer", norm_cell=True, projection=3, input_projection=6),
    "lstm, peepholes": LSTM(units=5, peephole=True, coupled=True),
    "gru, reset before": GRU(units=5),
    "gru, reset after": GRU(units=5, reset="after", projection=3),
    "sru": SRU(units=5, projection=3, norm="layer"),
    "qrnn": QRNN(units=5, kernel_size=3, pooling="ifo"),
    "conv_lstm": ConvLSTM(units=3, kernel_size=4),
}


def gradients(layer, mask, **context):
    """Of weights and input, of a loss on all outputs, by path."""
    x = tf.reshape(X, [3, 6, 2, 2]) if layer.feature_axes == 2 else X
    declaration = declare(layer, (2, 2) if layer.feature_axes == 2 else 4)
    tree = {path: value + 0.1 for path, value in initial_values(declaration, 5).items()} | {"x": x}
    with tf.GradientTape() as tape:
        tape.watch(tree)
        y = view(declaration, tree, seed=tf.constant([1, 2]), **context)(Sequence(tree["x"], mask)).values
        loss = tf.reduce_sum(y * tf.random.stateless_normal(y.shape, [3, 4]))
    return tape.gradient(loss, tree)


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "padded"])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_in_training_are_the_automatic_ones(name, mask):
    expected = gradients(LAYERS[name], mask)
    for path, found in gradients(LAYERS[name], mask, training=True).items():
        np.testing.assert_allclose(found, expected[path], rtol=1e-4, atol=1e-5, err_msg=path)


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_bfloat16_costs_gradients_no_more_with_layer_normalisation_than_its_own_rounding(norm):
    """Eight bits are 0.4 %; what adds up over 40 positions stays near that because statistics of norms are taken in float32."""
    layer, x = LSTM(units=64, norm=norm, norm_cell=norm == "layer"), tf.random.stateless_normal([4, 40, 32], [1, 2])
    declaration = declare(layer, 32)
    tree, found = initial_values(declaration, 5), {}
    for dtype in ("float32", "bfloat16"):
        with tf.GradientTape() as tape:
            tape.watch(tree)
            w = view(declaration, tree, training=True, seed=tf.constant([1, 2]), dtype=dtype)
            y = tf.cast(w(Sequence(tf.cast(x, dtype), None)).values, tf.float32)
            loss = tf.reduce_sum(y * tf.random.stateless_normal(y.shape, [3, 4]))
        found[dtype] = tape.gradient(loss, tree)
    for path, exact in found["float32"].items():
        assert np.linalg.norm(found["bfloat16"][path] - exact) < 0.05 * np.linalg.norm(exact), path


def test_the_native_operation_gives_what_the_loop_gives():
    layer, mask = LAYERS["lstm with a cap"], MASK
    declaration = declare(layer, 4)
    tree, seed = initial_values(declaration, 5), tf.constant([1, 2])
    native = view(declaration, tree, training=True, seed=seed)(Sequence(X, mask)).values
    loop = view(declaration, tree, training=True, seed=seed, for_xla=True)(Sequence(X, mask)).values
    np.testing.assert_allclose(native, loop, rtol=1e-5, atol=1e-6)


def test_zoneout_draws_the_same_on_the_way_back():
    layer = LSTM(units=5, zoneout=0.5)
    declaration = declare(layer, 4)
    tree = initial_values(declaration, 5)
    path, moved = "recurrent_kernel", 0.01 * tf.random.stateless_normal([5, 20], [6, 7])

    def loss(kernel):
        y = view(declaration, tree | {path: kernel}, training=True, seed=tf.constant([1, 2]))(Sequence(X, MASK)).values
        return tf.reduce_sum(tf.square(y))

    with tf.GradientTape() as tape:
        tape.watch(tree[path])
        value = loss(tree[path])
    slope = tf.reduce_sum(tape.gradient(value, tree[path]) * moved)
    difference = (loss(tree[path] + moved) - loss(tree[path] - moved)) / 2
    np.testing.assert_allclose(slope, difference, rtol=2e-2)


def operations(layer):
    """How many a training step's graph has, bodies of loops included, and the names of their kinds."""
    declaration = declare(layer, 4)
    tree = initial_values(declaration, 5)

    @tf.function(input_signature=[tf.TensorSpec([None, None, 4])])
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(tree)
            y = view(declaration, tree, training=True, seed=tf.constant([1, 2]))(Sequence(x)).values
        return tape.gradient(y, tree)

    graph = step.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    return len(nodes), [node.op for node in nodes]


@pytest.mark.parametrize(
    ("layer", "most", "loops"),
    [(LSTM(units=4), 250, 1), (LSTM(units=4, norm="layer"), 440, 2), (GRU(units=4), 370, 2)],
    ids=["native", "normalised", "gru"],
)
def test_a_layer_s_graph_is_small_for_any_time(layer, most, loops):
    count, kinds = operations(layer)
    assert count <= most
    assert sum(kind.endswith("While") for kind in kinds) == loops


def test_products_of_the_way_back_that_are_not_in_the_loop():
    """Kernels' gradients are products after the loop; in it there is one product per kernel."""
    layer = dataclasses.replace(LAYERS["lstm, layer norm"], norm="none", norm_cell=False)
    declaration = declare(layer, 4)
    tree = initial_values(declaration, 5)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(tree)
            y = view(declaration, tree, training=True, seed=tf.constant([1, 2]))(Sequence(x)).values
        return tape.gradient(y, tree)

    graph = step.get_concrete_function(X).graph.as_graph_def()
    bodies = [function for function in graph.library.function if "body" in function.signature.name]
    assert sorted(sum(node.op == "MatMul" for node in body.node_def) for body in bodies) == [3, 3]
