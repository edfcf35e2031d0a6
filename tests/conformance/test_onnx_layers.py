"""Every layer gives the same values in ONNX under onnxruntime, or is named as one that cannot be converted."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.layers.create import view
from seqcfg.layers.portable import PORTABLE
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare
from tests.conformance.layer_examples import CHANGES_LENGTH, DIM, LAYERS, WHOLE_SEQUENCE_ONLY, width
from tests.conformance.test_layers import LENGTHS, SOURCE_LENGTHS, batch, weights

pytest.importorskip("tf2onnx")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.slow


def traced(function, **inputs):
    specs = {
        name: tf.TensorSpec([None, None, *value.shape[2:]][: value.shape.rank], value.dtype, name=name) for name, value in inputs.items()
    }
    before = PORTABLE.set(True)
    try:
        return tf.function(function, autograph=False).get_concrete_function(**specs)
    finally:
        PORTABLE.reset(before)


def both(function, **inputs):
    """What TensorFlow and what onnxruntime makes of the inputs."""
    import onnxruntime

    from seqcfg.export.onnx_convert import converted

    expected = {name: value.numpy() for name, value in function(**inputs).items()}
    model = converted(traced(function, **inputs), "layer")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    read = {one.name for one in session.get_inputs()}
    names = [one.name for one in session.get_outputs()]
    found = session.run(names, {name: value.numpy() for name, value in inputs.items() if name in read})
    return expected, dict(zip(names, found, strict=True))


def constants(tree):
    """Weights as parts of the graph that is traced."""
    return {path: tf.constant(value) for path, value in tree.items()}


def inputs(name, rows=3, time=5):
    return {
        "x": batch(name, rows, time, 1),
        "lengths": tf.constant(LENGTHS),
        "memory": tf.random.stateless_normal([3, 6, DIM], [9, 9]),
        "memory_lengths": tf.constant(SOURCE_LENGTHS),
    }


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_a_whole_sequence_gives_the_same(name):
    declaration = declare(LAYERS[name], width(name), path="model/part")
    tree = {path: value.numpy() for path, value in weights(declaration).items()}

    def whole(x, lengths, memory, memory_lengths):
        source = Sequence(memory, tf.sequence_mask(memory_lengths, tf.shape(memory)[1]))
        y = view(declaration, constants(tree))(Sequence(x, tf.sequence_mask(lengths, tf.shape(x)[1]), memory=source))
        return {"values": y.zero_padding(), "mask": tf.cast(y.mask, tf.int32)}

    expected, found = both(whole, **inputs(name))
    np.testing.assert_array_equal(found["mask"], expected["mask"])
    np.testing.assert_allclose(found["values"], expected["values"], rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", sorted(set(LAYERS) - WHOLE_SEQUENCE_ONLY - CHANGES_LENGTH - {"log_mel"}))
def test_steps_give_the_same(name):
    declaration = declare(LAYERS[name], width(name), path="model/part")
    tree = {path: value.numpy() for path, value in weights(declaration).items()}

    def stepped(x, lengths, memory, memory_lengths, first):
        w = view(declaration, constants(tree))
        source = Sequence(memory, tf.sequence_mask(memory_lengths, tf.shape(memory)[1]))
        fixed, moving = w.start(Sequence(tf.zeros([tf.shape(x)[0], 1, DIM]), memory=source), 3)
        values = []
        for position in range(3):
            y, moving = w.step(Sequence(x[:, position : position + 1], start=first[0] + position), fixed, moving)
            values.append(y.values)
        return {"values": tf.concat(values, 1)}

    expected, found = both(stepped, **inputs(name), first=tf.constant([0]))
    np.testing.assert_allclose(found["values"], expected["values"], rtol=2e-4, atol=2e-5)
