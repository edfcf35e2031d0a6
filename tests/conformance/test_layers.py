"""What every layer in the catalog promises, checked on the examples of layer_examples.py."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component import catalog
from seqcfg.component.kinds import Layer, SequenceLayer
from seqcfg.errors import UserError
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare
from tests.conformance.layer_examples import CHANGES_LENGTH, DIM, LAYERS, STRIDES, VOCABULARY, WHOLE_SEQUENCE_ONLY, width

LENGTHS = [5, 3, 1]
SOURCE_LENGTHS = [4, 6, 2]
OURS = sorted(name for name, cls in catalog.load()["layer"].items() if "." not in name and cls.__module__.startswith("seqcfg."))


def draw(name, shape, seed):
    if name == "embedding":
        return tf.random.stateless_uniform(shape[:2], [seed, 1], 0, VOCABULARY, tf.int32)
    return tf.random.stateless_normal(shape, [seed, 1])


def batch(name, rows, time, seed):
    """Random input of the layer's width [rows, time, ...]."""
    features = width(name)
    return draw(name, [rows, time, *(features if isinstance(features, tuple) else [features])], seed)


def memory():
    return Sequence(tf.random.stateless_normal([3, 6, DIM], [9, 9]), tf.sequence_mask(SOURCE_LENGTHS, 6))


def sequence(name, seed=1):
    return Sequence(batch(name, 3, 5, seed), tf.sequence_mask(LENGTHS, 5), memory=memory())


def weights(declaration, seed=1):
    """Initial values moved off their symmetric starts, so that a layer that ignores a weight is caught."""
    noise = {
        path: 0.1 * tf.random.stateless_normal(v.shape, [seed, i]) for i, (path, v) in enumerate(initial_values(declaration, seed).items())
    }
    return {path: value + tf.abs(noise[path]) for path, value in initial_values(declaration, seed).items()}


def run(declaration, tree, x, **context):
    return view(declaration, tree, **context)(x)


@pytest.fixture(params=sorted(LAYERS))
def name(request):
    return request.param


@pytest.fixture
def declaration(name):
    return declare(LAYERS[name], width(name), path="model/part")


def test_every_layer_type_has_an_example():
    assert sorted({name.partition(":")[0] for name in LAYERS}) == OURS
    for name, layer in LAYERS.items():
        assert name.partition(":")[0] in {layer.type, *(inner.type for inner in getattr(layer, "layers", []))}


@pytest.mark.parametrize("type", OURS)
def test_sequence_layers_say_how_they_run_step_by_step(type):
    cls = catalog.find("layer", type)
    if issubclass(cls, SequenceLayer):
        assert cls.start is not Layer.start and cls.step is not Layer.step


def test_parameters_rebuild_an_equal_layer(name):
    layer = LAYERS[name]
    fields = {field.name: getattr(layer, field.name) for field in dataclasses.fields(layer)}
    assert type(layer)(**fields) == layer
    assert not list(layer.check())


def test_every_declared_weight_is_used_and_no_other(name, declaration):
    tree, read = weights(declaration), set()

    class Recorder(dict):
        def __getitem__(self, path):
            read.add(path)
            return super().__getitem__(path)

    run(declaration, Recorder(tree), sequence(name))
    assert read == set(tree)


def test_output_width_is_as_declared(name, declaration):
    out = run(declaration, weights(declaration), sequence(name)).values
    assert list(out.shape[2:]) == list(declaration.output if isinstance(declaration.output, tuple) else [declaration.output])
    assert out.shape[0] == 3


VARIANTS_ARE_SLOW = [pytest.param(name, marks=pytest.mark.slow if ":" in name else ()) for name in sorted(LAYERS)]


@pytest.mark.parametrize("name", VARIANTS_ARE_SLOW)
def test_eager_graph_and_xla_agree(name):
    declaration = declare(LAYERS[name], width(name))
    tree, x = weights(declaration), sequence(name)

    def call(values, mask):
        return run(declaration, tree, Sequence(values, mask, memory=x.memory)).values

    eager = call(x.values, x.mask)
    np.testing.assert_allclose(tf.function(call)(x.values, x.mask), eager, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(tf.function(call, jit_compile=True)(x.values, x.mask), eager, rtol=1e-5, atol=1e-5)


def test_it_makes_as_many_positions_as_it_says(name, declaration):
    tree = weights(declaration)
    for length in (1, 2, 4, 5, 9):
        out = run(declaration, tree, Sequence(batch(name, 3, length, 1), memory=memory())).values
        assert out.shape[1] == LAYERS[name].num_positions(length)


def test_three_batches_of_one_shape_are_traced_once(name, declaration):
    tree = weights(declaration)

    @tf.function
    def call(values, seed):
        return run(declaration, tree, Sequence(values, memory=memory()), training=True, seed=seed).values

    for number in range(3):
        call(batch(name, 3, 5, number), tf.constant([number, 7]))
    assert call.experimental_get_tracing_count() == 1


def test_saved_and_restored_weights_give_the_same_output(name, declaration, tmp_path):
    variables = {path: tf.Variable(value) for path, value in weights(declaration).items()}
    before = run(declaration, variables, sequence(name)).values
    file = tf.train.Checkpoint(**{path.replace("/", "."): variable for path, variable in variables.items()}).write(
        str(tmp_path / "weights")
    )
    fresh = {path: tf.Variable(value) for path, value in weights(declaration, seed=2).items()}
    tf.train.Checkpoint(**{path.replace("/", "."): variable for path, variable in fresh.items()}).read(file).assert_consumed()
    np.testing.assert_array_equal(run(declaration, fresh, sequence(name)).values, before)


def test_bfloat16_is_close_to_float32(name, declaration):
    tree, x = weights(declaration), sequence(name)
    exact = run(declaration, tree, x).values
    half = Sequence(tf.cast(x.values, "bfloat16"), x.mask, memory=Sequence(tf.cast(x.memory.values, "bfloat16"), x.memory.mask))
    rough = run(declaration, tree, x if name == "embedding" else half, dtype="bfloat16").values
    assert rough.dtype == tf.bfloat16
    error = tf.norm(tf.cast(rough, tf.float32) - exact) / tf.norm(exact)
    assert error < 0.02


def test_padding_does_not_change_valid_positions(name, declaration):
    tree, x = weights(declaration), sequence(name)
    short = run(declaration, tree, x)
    tail = batch(name, 3, 4, 5)
    garbage = tf.reverse(x.values, [0])
    values = tf.where(tf.reshape(x.mask, [3, 5] + [1] * (x.values.shape.rank - 2)), x.values, garbage)
    values = tf.concat([values, tail], 1)
    longer_memory = Sequence(tf.concat([x.memory.values, 100 * draw("", [3, 4, DIM], 6)], 1), tf.sequence_mask(SOURCE_LENGTHS, 10))
    longer = run(declaration, tree, Sequence(values, tf.sequence_mask(LENGTHS, 9), memory=longer_memory))
    valid = short.mask.numpy()
    assert longer.mask.numpy().sum() == valid.sum()
    np.testing.assert_allclose(longer.values[longer.mask], short.values[valid], rtol=1e-5, atol=1e-5)


def test_every_trained_weight_gets_a_finite_gradient(name, declaration):
    tree = weights(declaration)
    trained = {weight.path: tree[weight.path] for weight in declaration.all_weights() if weight.trainable}
    with tf.GradientTape() as tape:
        tape.watch(trained)
        y = run(declaration, tree, sequence(name), training=True, seed=tf.constant([3, 4])).values
        loss = tf.reduce_sum(tf.square(y) * tf.random.stateless_normal(y.shape, [8, 8]))
    for path, gradient in tape.gradient(loss, trained).items():
        gradient = tf.convert_to_tensor(gradient)
        assert np.isfinite(gradient).all(), path
        if not path.endswith("key/bias"):  # the same number for all scores of a query: it cannot matter
            assert tf.reduce_max(tf.abs(gradient)) > 0, path


def test_steps_give_what_the_whole_sequence_gives(name, declaration):
    w = view(declaration, weights(declaration))
    size = STRIDES.get(name, 1)
    whole = Sequence(batch(name, 3, 5 // size * size, 1), memory=memory())
    if name == "log_mel":
        pytest.skip("its first step needs samples before it: see test_log_mel")
    if name in WHOLE_SEQUENCE_ONLY:
        with pytest.raises(UserError, match="step by step"):
            w.start(whole, 7)
        return
    expected = w(whole).values
    fixed, moving = w.start(Sequence(tf.zeros([3, 1, DIM]), memory=memory()), 7)
    states, steps = tf.nest.map_structure(lambda state: (state.shape, state.dtype), moving), []
    for position in range(0, whole.values.shape[1], size):
        y, moving = w.step(Sequence(whole.values[:, position : position + size], start=tf.constant(position)), fixed, moving)
        steps.append(y.values)
        assert tf.nest.map_structure(lambda state: (state.shape, state.dtype), moving) == states
    np.testing.assert_allclose(tf.concat(steps, 1), expected, rtol=1e-5, atol=1e-5)


def test_hypotheses_of_a_sentence_read_its_memory(name, declaration):
    """A search repeats moving state `width` times; rows of one sentence are neighbours."""
    if name in WHOLE_SEQUENCE_ONLY | CHANGES_LENGTH:
        pytest.skip("no layer of a decoder of tokens")
    w = view(declaration, weights(declaration))
    source = memory()
    repeated = Sequence(tf.repeat(source.values, 2, 0), tf.repeat(source.mask, 2, 0))
    whole = Sequence(batch(name, 6, 4, 3), memory=repeated)
    expected = w(whole).values
    fixed, moving = w.start(Sequence(tf.zeros([3, 1, DIM]), memory=source), 4)
    moving = tf.nest.map_structure(lambda state: tf.repeat(state, 2, 0), moving)
    for position in range(4):
        y, moving = w.step(Sequence(whole.values[:, position : position + 1], start=tf.constant(position)), fixed, moving)
        np.testing.assert_allclose(y.values[:, 0], expected[:, position], rtol=1e-5, atol=1e-5)
