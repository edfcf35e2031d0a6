"""Packing is invisible to models that attend: the loss and its gradients are those of the same examples in rows of their own."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END
from seqcfg.data.batching import Batching
from seqcfg.data.column_writer import ColumnWriter
from seqcfg.data.columns import Columns
from seqcfg.data.feature import Feature
from seqcfg.data.loader import Loader
from seqcfg.data.plans import training_plan
from seqcfg.errors import UserError
from seqcfg.layers.convolution.conv1d import Conv1D
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.layers.sequence import Sequence
from seqcfg.plan.declaration import declare
from tests.tasks.small_models import VOCABULARY, declared, language_modeling, translation, weights_of

FEATURES = {"source": Feature("source", "all"), "target": Feature("target", "all")}


@pytest.fixture(scope="module")
def loaders(tmp_path_factory):
    """The same 30 examples, bucketed and packed."""
    folder, draw, entry = tmp_path_factory.mktemp("columns"), np.random.default_rng(0), {}
    for name, feature in FEATURES.items():
        writer = ColumnWriter(folder, name, feature, VOCABULARY)
        writer.append([[*draw.integers(4, VOCABULARY, draw.integers(0, 7)).tolist(), END] for _ in range(30)])
        entry[name] = writer.close()
    columns = Columns(folder, {"examples": 30, "columns": entry})
    return [
        Loader(
            columns, training_plan(columns, FEATURES, Batching(max_tokens=120, num_buckets=2, max_length=20, packing=packing), 1), FEATURES
        )
        for packing in (False, True)
    ]


def losses_and_gradients(task, loader, rename):
    """Sums over one epoch: loss, weight, and the gradient of every weight."""
    root, total, weight, gradients = declared(task), 0.0, 0.0, None
    tree = {path: tf.constant(value) for path, value in weights_of(task).items()}
    for number in range(loader.plan.batches_per_epoch):
        batch = {rename(name): tf.constant(value) for name, value in loader.load(number).items()}
        with tf.GradientTape() as tape:
            tape.watch(tree)
            loss = task.losses(view(root, tree), batch)["loss"]
        found = {path: tf.convert_to_tensor(one) for path, one in tape.gradient(loss.total, tree).items()}
        gradients = found if gradients is None else {path: gradients[path] + value for path, value in found.items()}
        total, weight = total + float(loss.total), weight + float(loss.weight)
    return total, weight, gradients


@pytest.mark.parametrize(
    ("task", "rename"),
    [(translation(), str), (translation(untied=True), str), (language_modeling(), lambda name: name.replace("target", "text"))],
    ids=["translation", "untied", "language_modeling"],
)
def test_packing_changes_neither_the_loss_nor_a_gradient(task, rename, loaders):
    (total, weight, gradients), (packed_total, packed_weight, packed_gradients) = (
        losses_and_gradients(task, loader, rename) for loader in loaders
    )
    assert max((row >= 0).sum() for row in loaders[1].plan.batch(0).example_ids) > 2
    assert packed_weight == weight
    assert packed_total == pytest.approx(total, rel=1e-5)
    for path, gradient in gradients.items():
        np.testing.assert_allclose(packed_gradients[path], gradient, rtol=5e-3, atol=2e-3, err_msg=path)


@pytest.mark.parametrize("layer", [Conv1D(units=4, kernel_size=3), LSTM(units=4)])
def test_layers_that_would_mix_neighbours_refuse_packed_rows(layer):
    root = declare(layer, 4)
    x = Sequence(tf.zeros([1, 6, 4]), segments=tf.constant([[1, 1, 2, 2, 2, 0]]))
    with pytest.raises(UserError, match="would mix the texts that share a row"):
        layer(view(root, initial_values(root, 0)), x)
