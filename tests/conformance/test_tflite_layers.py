"""Every layer gives the same values in TFLite under LiteRT, whole and step by step, or says that it cannot be converted."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.create import view
from seqcfg.layers.portable import PORTABLE
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare
from tests.conformance.layer_examples import CHANGES_LENGTH, DIM, LAYERS, WHOLE_SEQUENCE_ONLY, width
from tests.conformance.test_layers import batch, weights

litert = pytest.importorskip("ai_edge_litert.interpreter")
pytestmark = pytest.mark.slow
STEPS = 3


def both(function, place, **inputs):
    """What TensorFlow and what LiteRT makes of the inputs, of which time is free."""
    from seqcfg.export.tflite_convert import convert

    expected = {name: value.numpy() for name, value in function(**inputs).items()}
    specs = {name: tf.TensorSpec([1, None, *value.shape[2:]][: value.shape.rank], value.dtype, name=name) for name, value in inputs.items()}
    before = PORTABLE.set(True)
    try:
        call = tf.function(function, autograph=False).get_concrete_function(**specs)
    finally:
        PORTABLE.reset(before)
    module = tf.Module()
    module.call = call
    runner = litert.Interpreter(model_content=convert(module, {"call": call}, "float32", False, str(place))).get_signature_runner("call")
    read = runner.get_input_details()
    return expected, runner(**{name: value.numpy() for name, value in inputs.items() if name in read})


def parts(name):
    """The layer's declaration, its weights as constants, and what every call is given besides the layer's own input."""
    declaration = declare(LAYERS[name], width(name), path="model/part")
    tree = {path: tf.constant(value.numpy()) for path, value in weights(declaration).items()}
    return declaration, tree, {"x": batch(name, 1, 5, 1), "memory": tf.random.stateless_normal([1, 6, DIM], [9, 9])}


def source(memory, length):
    return Sequence(memory, tf.sequence_mask(length, tf.shape(memory)[1]))


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_a_whole_sequence_gives_the_same(name, tmp_path):
    declaration, tree, inputs = parts(name)
    assert not list(LAYERS[name].obstacles("tflite", "tokens"))

    def whole(x, memory, length):
        y = view(declaration, tree)(Sequence(x, tf.sequence_mask(length, tf.shape(x)[1]), memory=source(memory, length + 1)))
        return {"values": y.zero_padding(), "mask": tf.cast(y.mask, tf.int32)}

    expected, found = both(whole, tmp_path, **inputs, length=tf.constant([3]))
    np.testing.assert_array_equal(found["mask"], expected["mask"])
    np.testing.assert_allclose(found["values"], expected["values"], rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", sorted(set(LAYERS) - WHOLE_SEQUENCE_ONLY - CHANGES_LENGTH - {"log_mel"}))
def test_steps_give_the_same(name, tmp_path):
    declaration, tree, inputs = parts(name)

    def stepped(x, memory, length):
        w = view(declaration, tree)
        fixed, moving = w.start(Sequence(tf.zeros([1, 1, DIM]), memory=source(memory, length)), STEPS)
        values = []
        for position in range(STEPS):
            y, moving = w.step(Sequence(x[:, position : position + 1], start=position), fixed, moving)
            values.append(y.values)
        return {"values": tf.concat(values, 1)}

    expected, found = both(stepped, tmp_path, **inputs, length=tf.constant([4]))
    np.testing.assert_allclose(found["values"], expected["values"], rtol=2e-4, atol=2e-5)
