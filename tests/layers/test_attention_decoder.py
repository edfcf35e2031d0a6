"""The recurrent decoder against its equations, one position and one layer at a time."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.attention.additive import AdditiveAttention
from seqcfg.layers.attention.location_sensitive import LocationSensitiveAttention
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.recurrent.attention_decoder import AttentionDecoder
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import Declaration, Misfit, declare

MEMORY = Sequence(tf.random.stateless_normal([2, 5, 4], [5, 6]), tf.sequence_mask([5, 3], 5))
X = tf.random.stateless_normal([2, 4, 6], [1, 2])
ATTENTION = AdditiveAttention(hidden=3)


def make(layer, dim=6, memory=4, **context):
    declaration = Declaration(layer)
    declaration.memory_width = memory
    declaration.output = layer.declare(declaration, dim)
    return view(declaration, initial_values(declaration, 3), **context)


def one(w, x, state):
    """The LSTM's next output and state for x [batch, dim]."""
    y, state = w.step(Sequence(x[:, tf.newaxis]), {}, state)
    return y.values[:, 0], state


@pytest.mark.parametrize("context_to", ["all", "layers", "output", "cell"])
@pytest.mark.parametrize("context_of", ["present", "previous"])
def test_the_cell_asks_and_all_are_told(context_to, context_of):
    layer = AttentionDecoder(
        cell=LSTM(units=5), attention=ATTENTION, num_layers=3, context_to=context_to, context_of=context_of, residual_from=3
    )
    w = make(layer)
    ours = w(Sequence(X, memory=MEMORY)).values
    fixed, _ = w.attention.start(Sequence(X, memory=MEMORY), None)
    states = [view_.start(Sequence(X), None)[1] for view_ in (w.cell, *w.layers)]
    context = w.attention.step(Sequence(tf.zeros([2, 1, 5])), fixed, {})[0].values[:, 0]
    for t in range(4):
        before = context
        h, states[0] = one(w.cell, tf.concat([X[:, t], before], 1), states[0])
        context = w.attention.step(Sequence(h[:, tf.newaxis]), fixed, {})[0].values[:, 0]
        told = before if context_of == "previous" else context
        for number, above in enumerate(w.layers, 1):
            given = tf.concat([h, told], 1) if context_to in ("all", "layers") else h
            y, states[number] = one(above, given, states[number])
            h = h + y if number == 2 else y
        expected = tf.concat([h, context], 1) if context_to in ("all", "output") else h
        np.testing.assert_allclose(ours[:, t], expected, rtol=1e-5, atol=1e-6)


def test_a_layer_of_another_width_cannot_be_added():
    layer = AttentionDecoder(cell=LSTM(units=5), layer=LSTM(units=4), attention=ATTENTION, num_layers=2, residual_from=2)
    with pytest.raises(Misfit, match="layer 2 gives the width 4 and cannot be added to its input of 5"):
        declare(layer, 6)


def test_the_weights_are_those_of_listen_attend_and_spell():
    layer = AttentionDecoder(cell=LSTM(units=1024), attention=AdditiveAttention(hidden=128), num_layers=2)
    declaration = Declaration(layer)
    declaration.memory_width = 2048
    assert layer.declare(declaration, 76) == 3072
    sizes = {weight.path: weight.size for weight in declaration.all_weights()}
    assert sizes["cell/input_kernel"] + sizes["cell/recurrent_kernel"] == 3148 * 4096
    assert sizes["layers/0/input_kernel"] + sizes["layers/0/recurrent_kernel"] == 4096 * 4096
    assert sizes["attention/energy/key_kernel"] == 2048 * 128


def test_attention_of_all_positions_is_shown_together():
    w = make(AttentionDecoder(cell=LSTM(units=5), attention=ATTENTION, num_layers=2), watched={})
    call = tf.function(lambda: (w(Sequence(X, memory=MEMORY)).values, dict(w.context.watched))[1])
    (shown,) = call().values()
    assert shown.shape == [2, 1, 4, 5]
    np.testing.assert_allclose(tf.reduce_sum(shown, -1), np.ones([2, 1, 4]), rtol=1e-5)
    assert np.all(shown[1, :, :, 3:] == 0)


def test_each_position_drops_other_weights():
    attention = LocationSensitiveAttention(hidden=3, num_filters=1, kernel_size=3, dropout=0.5)
    w = make(AttentionDecoder(cell=LSTM(units=5), attention=attention), training=True, seed=tf.constant([1, 2]))
    memory = Sequence(tf.ones([1, 40, 4]))
    contexts = w(Sequence(tf.zeros([1, 12, 6]), memory=memory)).values[0, :, -1].numpy()
    assert len(set(contexts.round(5))) > 6
    again = w.within(w.context.__class__(training=True, seed=tf.constant([1, 2])))
    np.testing.assert_array_equal(again(Sequence(tf.zeros([1, 12, 6]), memory=memory)).values[0, :, -1], contexts)
