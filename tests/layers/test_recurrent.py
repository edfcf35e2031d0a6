"""Recurrent layers against their equations in plain numpy, their masks, and both directions."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.create import initial_values, view
from seqcfg.layers.recurrent.bidirectional import Bidirectional
from seqcfg.layers.recurrent.conv_lstm import ConvLSTM
from seqcfg.layers.recurrent.gru import GRU
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.layers.recurrent.qrnn import QRNN
from seqcfg.layers.recurrent.sru import SRU
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare

X = tf.random.stateless_normal([2, 6, 3], [1, 2])
MASK = tf.constant([[True] * 6, [True] * 4 + [False] * 2])


def make(layer, seen=0.0, **context):
    """The layer's view; biases and peepholes are `seen`."""
    declaration = declare(layer, 3)
    vectors = {weight.path: tf.fill(weight.shape, seen) for weight in declaration.all_weights() if seen and len(weight.shape) == 1}
    return view(declaration, initial_values(declaration, 7) | vectors, **context)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_equations():
    w = make(LSTM(units=4, forget_bias=0.5))
    kernel, recurrent = w.input_kernel.numpy(), w.recurrent_kernel.numpy()
    m = c = np.zeros([2, 4])
    for t in range(6):
        g, i, f, o = np.split(X[:, t].numpy() @ kernel + m @ recurrent, 4, -1)
        c = sigmoid(f + 0.5) * c + sigmoid(i) * np.tanh(g)
        m = sigmoid(o) * np.tanh(c)
        np.testing.assert_allclose(w(Sequence(X)).values[:, t], m, rtol=1e-5, atol=1e-6)


def test_padding_holds_the_state():
    out = make(LSTM(units=4))(Sequence(X, MASK)).values.numpy()
    np.testing.assert_array_equal(out[1, 4:], out[1, [3, 3]])


def test_the_cell_never_exceeds_its_cap():
    w = make(LSTM(units=4, cell_cap=0.05))
    state = {"output": tf.zeros([2, 4]), "cell": tf.zeros([2, 4])}
    _, last = w.run(Sequence(X), state)
    assert np.abs(last["cell"]).max() <= 0.05


def test_chunks_give_what_the_whole_gives():
    w = make(LSTM(units=4, projection=2))
    whole = w(Sequence(X)).values
    fixed, moving = w.start(Sequence(X), None)
    first, moving = w.step(Sequence(X[:, :4]), fixed, moving)
    second, moving = w.step(Sequence(X[:, 4:]), fixed, moving)
    np.testing.assert_allclose(tf.concat([first.values, second.values], 1), whole, rtol=1e-5, atol=1e-6)


def test_zoneout_keeps_some_values_in_training():
    w = make(LSTM(units=50, zoneout=0.5), training=True, seed=tf.constant([1, 2]))
    out = w(Sequence(X)).values.numpy()
    same = (out[:, 1:] == out[:, :-1]).mean()
    assert same == pytest.approx(0.5, abs=0.1)


def test_the_backward_half_reads_from_each_row_s_own_end():
    layer = Bidirectional(layer=LSTM(units=4))
    w = make(layer)
    padded = w(Sequence(X, MASK)).values[1, :4]
    alone = w(Sequence(X[1:, :4])).values[0]
    np.testing.assert_allclose(padded, alone, rtol=1e-5, atol=1e-6)
    mirrored = w.backward(Sequence(X[1:, 3::-1])).values[0, ::-1]
    np.testing.assert_allclose(alone[:, 4:], mirrored, rtol=1e-5, atol=1e-6)


def test_peepholes_show_the_cell_to_the_gates():
    w = make(LSTM(units=4, peephole=True, forget_bias=0.0), seen=0.3)
    kernel, recurrent = w.input_kernel.numpy(), w.recurrent_kernel.numpy()
    m = c = np.zeros([2, 4])
    for t in range(6):
        g, i, f, o = np.split(X[:, t].numpy() @ kernel + m @ recurrent + 0.3, 4, -1)
        c = sigmoid(f + 0.3 * c) * c + sigmoid(i + 0.3 * c) * np.tanh(g)
        m = sigmoid(o + 0.3 * c) * np.tanh(c)
        np.testing.assert_allclose(w(Sequence(X)).values[:, t], m, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("reset", ["before", "after"])
def test_both_conventions_of_a_gru(reset):
    w = make(GRU(units=4, reset=reset), seen=0.1)
    kernel, gates, candidate = w.input_kernel.numpy(), w.gate_kernel.numpy(), w.candidate_kernel.numpy()
    m = np.zeros([2, 4])
    for t in range(6):
        xn, xu, xr = np.split(X[:, t].numpy() @ kernel + 0.1, 3, -1)
        u, r = sigmoid(xu + m @ gates[:, :4]), sigmoid(xr + m @ gates[:, 4:])
        n = np.tanh(xn + ((r * m) @ candidate if reset == "before" else r * (m @ candidate + 0.1)))
        m = u * m + (1 - u) * n
        np.testing.assert_allclose(w(Sequence(X)).values[:, t], m, rtol=1e-5, atol=1e-6)


def test_sru_on_its_own_input():
    w = make(SRU(units=3, highway="input", output_activation="none"), seen=0.1)
    kernel = w.kernel.numpy()
    c = np.zeros([2, 3])
    for t in range(6):
        x = X[:, t].numpy()
        z, f, r = np.split(x @ kernel, 3, -1)
        f, r = sigmoid(f + 0.1), sigmoid(r + 0.1)
        c = f * c + (1 - f) * z
        np.testing.assert_allclose(w(Sequence(X)).values[:, t], r * c + (1 - r) * x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", ["f", "fo", "ifo"])
def test_qrnn_pools_what_a_causal_convolution_makes(pooling):
    w = make(QRNN(units=4, kernel_size=2, pooling=pooling), seen=0.1)
    kernel, c = w.kernel.numpy(), np.zeros([2, 4])
    for t in range(6):
        before = X[:, t - 1].numpy() if t else np.zeros([2, 3])
        blocks = np.split(before @ kernel[0] + X[:, t].numpy() @ kernel[1] + 0.1, len(pooling) + 1, -1)
        gates = dict(zip("i" * (pooling == "ifo") + "f" + "o" * (pooling != "f"), map(sigmoid, blocks[1:]), strict=True))
        c = gates["f"] * c + gates.get("i", 1 - gates["f"]) * np.tanh(blocks[0])
        np.testing.assert_allclose(w(Sequence(X)).values[:, t], gates.get("o", 1.0) * c, rtol=1e-5, atol=1e-6)


def test_conv_lstm_of_one_tap_is_an_lstm_at_each_frequency():
    maps = tf.random.stateless_normal([2, 6, 4, 3], [3, 4])
    declaration = declare(ConvLSTM(units=5, kernel_size=1), (4, 3))
    tree = initial_values(declaration, 7)
    flat = declare(LSTM(units=5), 3)
    rows = tf.reshape(tf.transpose(maps, [0, 2, 1, 3]), [8, 6, 3])
    expected = view(flat, {path: value[0] if "kernel" in path else value for path, value in tree.items()})(Sequence(rows)).values
    found = tf.reshape(tf.transpose(view(declaration, tree)(Sequence(maps)).values, [0, 2, 1, 3]), [8, 6, 5])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", [GRU(units=4), SRU(units=4), QRNN(units=4, kernel_size=3), LSTM(units=4, norm="layer")])
def test_chunks_of_any_layer_give_what_the_whole_gives(layer):
    w = make(layer)
    _, moving = w.start(Sequence(X), None)
    pieces = []
    for start, end in ((0, 3), (3, 4), (4, 6)):
        y, moving = w.step(Sequence(X[:, start:end]), {}, moving)
        pieces.append(y.values)
    np.testing.assert_allclose(tf.concat(pieces, 1), w(Sequence(X)).values, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fields", [{}, {"norm": "layer", "projection": 2}, {"norm": "weight"}, {"input_projection": 3, "peephole": True}])
def test_a_joined_kernel_is_two_kernels_one_above_the_other(fields):
    apart, joined = (LSTM(units=4, kernels=kernels, **fields) for kernels in ("separate", "joined"))
    tree = initial_values(declare(apart, 3), 7)
    whole = {"kernel": tf.concat([tree.pop("input_kernel"), tree.pop("recurrent_kernel")], 0)} | tree
    w = view(declare(joined, 3), whole)
    expected = make(apart)(Sequence(X, MASK)).values
    np.testing.assert_allclose(w(Sequence(X, MASK)).values, expected, rtol=1e-5, atol=1e-6)
    _, moving = w.start(Sequence(X), None)
    for position in range(4):
        y, moving = w.step(Sequence(X[:, position : position + 1]), {}, moving)
        np.testing.assert_allclose(y.values[:, 0], expected[:, position], rtol=1e-5, atol=1e-6)
