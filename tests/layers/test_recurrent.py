"""The LSTM against its equations in plain numpy, its masks, and both directions."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.create import initial_values, view
from seqcfg.layers.recurrent.bidirectional import Bidirectional
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare

X = tf.random.stateless_normal([2, 6, 3], [1, 2])
MASK = tf.constant([[True] * 6, [True] * 4 + [False] * 2])


def make(layer, **context):
    declaration = declare(layer, 3)
    return view(declaration, initial_values(declaration, 7), **context)


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
