"""What layers say they keep for their gradients, against the tensors that gradients read in traced graphs."""

import pytest
import tensorflow as tf

from seqcfg.data.loader import batched
from seqcfg.layers.create import view
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare
from seqcfg.plan.kept import Keeping, kept
from seqcfg.plan.walk import Batch, Place
from seqcfg.recipe.experiment import load
from tests.conformance.layer_examples import DIM, LAYERS, width
from tests.plan.kept_tensors import numbers_kept
from tests.recipes.shrunk import CONFORMER, TRANSLATION

ROWS, TIME, MEMORY = 16, 12, 10
# Layers without a loop of unknown length, whose tensors all have known shapes.
TRACED = (
    "activation", "additive_attention", "batch_norm", "bidirectional", "conv1d", "conv2d:same", "dense", "depthwise_conv1d", "dropout",
    "embedding", "feed_forward", "feed_forward:glu", "gated_linear_unit:mapped", "group_norm", "layer_norm", "lightweight_conv", "lstm",
    "multi_head_attention:causal", "multi_head_attention:grouped", "multi_head_attention:memory", "parallel", "pool1d",
    "relative_attention", "repeat", "rms_norm", "sequential",
)  # fmt: skip


def placeholder(*shape, dtype=tf.float32):
    """A tensor that the pass itself made, so that it counts where a gradient reads it."""
    given = tf.compat.v1.placeholder(dtype, shape)
    return tf.multiply(given, tf.ones([], dtype))


def weights(declaration):
    return {weight.path: tf.compat.v1.placeholder(tf.float32, weight.shape) for weight in declaration.all_weights()}


def context():
    return {"training": True, "seed": tf.constant([1, 2]), "step": tf.constant(3)}


@pytest.mark.parametrize("name", TRACED)
def test_a_layer_keeps_about_what_its_gradient_reads(name):
    declaration = declare(LAYERS[name], width(name), path="part")
    keeping = Keeping(Batch(ROWS, MEMORY, TIME), MEMORY)
    keeping.of_layer(declaration, Place(ROWS, TIME, TIME, MEMORY))
    with tf.Graph().as_default():
        features = width(name) if isinstance(width(name), tuple) else (width(name),)
        x = placeholder(ROWS, TIME, dtype=tf.int32) if name == "embedding" else placeholder(ROWS, TIME, *features)
        memory = tf.compat.v1.placeholder(tf.float32, [ROWS, MEMORY, DIM])
        tree = weights(declaration)
        given = Sequence(x, tf.ones([ROWS, TIME], tf.bool), memory=Sequence(memory, tf.ones([ROWS, MEMORY], tf.bool)))

        def run():
            y = view(declaration, tree, **context())(given)
            return getattr(y, "values", y)

        trained = {weight.path: tree[weight.path] for weight in declaration.all_weights() if weight.trainable}
        watched = trained | ({} if name == "embedding" else {"x": x})
        traced = sum(numbers_kept(run, [memory, *tree.values()], watched).values())
    assert keeping.found.numbers == pytest.approx(traced, rel=0.3, abs=2 * ROWS * TIME)


@pytest.mark.parametrize(
    ("shrunk", "rows", "length", "rematerialized"),
    [(TRANSLATION, 8, 24, ()), (TRANSLATION, 8, 24, ("model/encoder/layers/*",)), (CONFORMER, 2, 60, ())],
    ids=["translation", "translation, encoder again", "conformer"],
)
def test_a_whole_model_keeps_what_its_gradients_read(shrunk, rows, length, rematerialized):
    experiment = load(shrunk[0], shrunk[1:])
    task, declaration = experiment.recipe.task, experiment.declaration
    audio = task.features().get("audio")
    batch = Batch(rows, length * (audio.unit if audio else 1), length if audio is None else length // 10)
    with tf.Graph().as_default():
        arrays = {}
        for name, feature in batched(task.features()).items():
            time = batch.text if name in ("text", "target") else batch.source
            arrays[name] = tf.compat.v1.placeholder(feature.dtype, [rows, time])
            arrays[f"{name}_length"] = tf.compat.v1.placeholder(tf.int32, [rows])
        tree = weights(declaration)
        trained = {weight.path: tree[weight.path] for weight in declaration.all_weights() if weight.trainable}

        def run():
            return task.losses(view(declaration, tree, rematerialized=rematerialized, **context()), arrays)["loss"].total

        traced = sum(numbers_kept(run, [*tree.values(), *arrays.values()], trained).values())
    assert kept(declaration, batch, rematerialized).numbers == pytest.approx(traced, rel=0.15)
