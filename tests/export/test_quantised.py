"""A run that was trained for integers becomes a TFLite model of integers, by the ranges that training found."""

import numpy as np
import pytest

from seqcfg.checkpoints.commit import save
from seqcfg.decoding.decoder import Decoder
from seqcfg.errors import UserError
from seqcfg.export import artefact
from seqcfg.export.integers import IntegerProducts, LookedOn, Range
from seqcfg.export.operators import operators_of
from seqcfg.export.sample import Sample
from seqcfg.export.slim import ALIGNMENT, slimmed
from seqcfg.export.tflite import TFLite
from seqcfg.export.tolerance import Tolerance
from seqcfg.layers.create import view
from seqcfg.layers.dense import affine
from seqcfg.layers.quantisation.settings import Activations, Domain, Quantisation, Weights
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import RANGES, declare
from seqcfg.tasks.trained import open_run
from tests.evaluation.small_run import RECIPE, make_run

LINES = ["twenty-one", "one", "three hundred"]
ANYTHING = Tolerance(identical_share=0.0, score_difference=1e9, metric_loss=1e9)
AWARE = "quantisation: {domains: [{layers: [%s], weights: {scales: %s}}], aware: {decay: 0.0}}\n"
ENCODER = "encoder: {type: residual, norm: {type: layer_norm}, layer: {type: feed_forward, hidden: 8}}"
LISTENING = RECIPE.replace(ENCODER, "encoder: {type: lstm, units: 16}")
SETTINGS = ["decoding.max_source_length=30", "decoding.search={type: greedy}"]


def aware_run(folder, scales, layers="model/*"):
    """A run whose checkpoint holds the ranges that one step of training finds on two pairs."""
    import tensorflow as tf

    run = make_run(folder, recipe_text=LISTENING + (AWARE % (layers, scales)))
    trained = open_run(run, "last")
    inputs, ids, lengths = trained.experiment.recipe.task.encode_pairs(trained.codecs, LINES, ["vingt et un", "un", "trois cents"])
    batch = {**inputs, "target": ids, "target_length": lengths}
    tree = {path: tf.constant(value) for path, value in trained.weights.items()}
    w = view(trained.declaration, tree, training=True, step=tf.constant(0, tf.int64), seed=tf.constant([1, 0]))
    trained.experiment.recipe.task.losses(w, {name: tf.constant(value) for name, value in batch.items()})
    variables = {f"weights/{path}": tf.Variable(value) for path, value in (trained.weights | w.context.updates).items()}
    save(trained.run.checkpoints, 30, variables | {"state/step": tf.Variable(np.int64(30))}, {})
    return open_run(run, "last", SETTINGS)


def exported(trained, precision="int8"):
    return artefact.Export(trained, Sample(LINES))(TFLite(precision=precision, tolerance=ANYTHING))


def counted(found):
    return operators_of((found.folder / "model.tflite").read_bytes())


@pytest.fixture(scope="module")
def by_tensor(tmp_path_factory):
    trained = aware_run(tmp_path_factory.mktemp("tensor"), "tensor")
    return trained, exported(trained)


def test_ranges_of_training_are_the_scales_of_the_integers(by_tensor):
    """No examples are given; the largest input of a product lies 255 steps above the least."""
    from ai_edge_litert import schema_py_generated as schema

    trained, found = by_tensor
    data = (found.folder / "model.tflite").read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    scales = {float(t.quantization.scale[0]) for g in model.subgraphs for t in g.tensors if t.type == schema.TensorType.INT8 and _is_one(t)}
    assert "model/encoder:recurrent_kernel" in {path.removeprefix(RANGES) for path in trained.weights}
    tracked = {path: value for path, value in trained.weights.items() if path.startswith(RANGES)}
    assert len(tracked) == 8
    for low, high, result_low, result_high in tracked.values():
        for span in (max(high, 0) - min(low, 0), max(result_high, 0) - min(result_low, 0)):
            assert min(abs(scale - span / 255) for scale in scales) < 1e-6 * span


def _is_one(tensor):
    return tensor.quantization is not None and tensor.quantization.scale is not None and len(tensor.quantization.scale) == 1


def test_the_rounded_run_and_its_integers_give_nearly_the_same_scores(by_tensor):
    trained, found = by_tensor
    assert counted(found).multiplied.share > 0.5 and not counted(found).custom
    assert found.parity.score_difference < 0.05
    plain = open_run(trained.folder, "last", [*SETTINGS, "quantisation=null"])
    assert decoded(plain) != decoded(trained)


def decoded(trained):
    recipe = trained.experiment.recipe
    found = Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, recipe.decoding).decode(LINES)
    return [one.scores for one in found]


def test_what_the_loop_of_an_lstm_multiplies_is_seen_by_who_looks_for_ranges():
    import tensorflow as tf

    layer = LSTM(units=3, use_bias=False)
    root = declare(layer, 4)
    rng = np.random.default_rng(1)
    tree = {w.path: tf.constant(rng.normal(size=w.shape), tf.float32) for w in root.all_weights()}
    x = Sequence(tf.constant(rng.normal(size=(1, 5, 4)), tf.float32))

    @tf.function(autograph=False)
    def look():
        looking = LookedOn()
        return view(root, tree, products=looking)(x).values, looking.noted

    outputs, noted = look()
    before = np.concatenate([np.zeros([1, 3]), outputs[0, :-1]])
    sums = before @ tree["recurrent_kernel"].numpy()
    np.testing.assert_allclose(noted[":recurrent_kernel"], [before.min(), before.max(), sums.min(), sums.max()], atol=1e-5)


@pytest.mark.slow
def test_a_scale_for_each_output_is_a_convolution_of_integers(tmp_path):
    found = exported(aware_run(tmp_path, "channel"))
    assert counted(found).operators["CONV_2D"] > 0 and counted(found).multiplied.share > 0.5
    assert found.parity.score_difference < 0.05


@pytest.mark.slow
def test_layers_that_no_domain_names_stay_in_floating_point(tmp_path):
    some, part = counted(exported(aware_run(tmp_path, "tensor", "model/encoder"))).multiplied, 0.5
    assert 0 < some.share < part


def test_a_run_without_ranges_yet_is_refused(tmp_path):
    trained = open_run(make_run(tmp_path, recipe_text=RECIPE + (AWARE % ("model/*", "tensor"))), "last", SETTINGS)
    with pytest.raises(UserError, match="ranges of activations, and has not yet"):
        exported(trained)


def test_a_slimmed_file_is_the_same_model_with_aligned_buffers(by_tensor):
    from ai_edge_litert import schema_py_generated as schema

    data = (by_tensor[1].folder / "model.tflite").read_bytes()
    assert len(slimmed(data)) == len(data)  # nothing is left to leave out
    model = schema.Model.GetRootAsModel(data, 0)
    starts = [model.Buffers(i)._tab.Vector(4) for i in range(model.BuffersLength()) if model.Buffers(i).DataLength()]
    assert starts and all(start % ALIGNMENT == 0 for start in starts)
    assert len(set(starts)) == len(starts)
    inside = [graph.Tensors(0) for graph in map(model.Subgraphs, range(model.SubgraphsLength()))]
    assert inside and {one.Name() for one in inside} != {b""}


@pytest.mark.parametrize(("weight_bits", "scales", "activation_bits", "symmetric"), [(4, "tensor", 8, True), (6, "channel", 5, False)])
def test_integers_of_few_bits_are_at_most_one_step_from_the_rounded_graph(weight_bits, scales, activation_bits, symmetric):
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    rng = np.random.default_rng(1)
    kernel, x = (rng.normal(size=size).astype(np.float32) for size in ((8, 16), (5, 8)))
    domain = Domain(weights=Weights(bits=weight_bits, scales=scales), activations=Activations(bits=activation_bits, symmetric=symmetric))
    products = IntegerProducts({"here": Range(-3, 3, -9, 9)}, {"here": kernel}, Quantisation(domains=[domain]))
    constant = tf.constant(kernel)
    graph = tf.function(lambda x: products("here", x, constant, None, affine), input_signature=[tf.TensorSpec([5, 8])])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    data = converter.convert()
    model = Interpreter(model_content=data)
    model.allocate_tensors()
    model.set_tensor(model.get_input_details()[0]["index"], x)
    model.invoke()
    found = model.get_tensor(model.get_output_details()[0]["index"])
    assert operators_of(data).multiplied.share == 1.0
    assert np.abs(found - graph(x)).max() < 1.01 * 18 / (2**activation_bits - 1 - symmetric)
