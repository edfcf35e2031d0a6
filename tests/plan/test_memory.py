"""The memory that a plan tells of: sizes worked out by hand, and what decides about it."""

import pytest
import tensorflow as tf

from seqcfg.data.loader import signature
from seqcfg.plan import memory
from seqcfg.plan.graph_size import num_operations
from seqcfg.plan.table import total
from seqcfg.plan.walk import Batch
from seqcfg.recipe import shipped
from seqcfg.recipe.experiment import load
from seqcfg.training.state import create_state
from seqcfg.training.step import TrainingStep
from tests.recipes.shrunk import CONFORMER, LANGUAGE_MODELING

DEMO = str(shipped.find("mt/demo_numbers_enfr"))


def planned(*overrides, file=DEMO, batch=None):
    experiment = load(file, overrides)
    return memory.of_recipe(experiment.recipe, experiment.declaration, batch)


def test_weights_slots_and_checkpoints_are_four_bytes_per_number():
    experiment, found = load(DEMO), planned()
    size = total(experiment.declaration)
    assert (found.weights, found.slots, found.averages) == (4 * size, 2 * 4 * size, 0)
    assert found.checkpoint == 3 * 4 * size
    assert found.checkpoints == 3 * found.checkpoint  # the two newest and the best
    assert planned("training.ema_decay=0.99").checkpoint == 4 * 4 * size


def test_the_peak_is_the_larger_of_the_gradient_s_and_the_update_s_part():
    found = planned()
    fixed = found.process + found.graph
    assert found.peak == pytest.approx(fixed + 1.05 * (found.state + found.activations + found.work), abs=1)
    small = planned(batch=Batch(1, 2, 2))
    assert small.activations + small.work < small.update
    assert small.peak == pytest.approx(fixed + 1.05 * (small.state + small.update), abs=1)


def test_the_largest_batch_holds_the_longest_examples():
    assert memory.largest_batch(load(DEMO).recipe) == Batch(2048 // 64, 64, 64)
    heard = memory.largest_batch(load(str(shipped.find("asr/fsdd_digits_ctc"))).recipe)
    assert heard == Batch(3, 1000 * 80, 100)  # 10 s at 8 kHz, in which ten letters a second are said


def test_more_positions_and_longer_rows_need_more_memory():
    sizes = [planned(batch=batch).activations for batch in (Batch(4, 8, 8), Batch(8, 8, 8), Batch(2, 16, 16), Batch(2, 32, 32))]
    assert sizes[0] < sizes[2] < sizes[1] < sizes[3]


def test_of_layers_that_are_computed_again_the_inputs_alone_are_kept():
    blocks = "training.rematerialized=['model/*coder/layers/2/blocks/*']"
    one, two = (planned(blocks, f"vars.layers={layers}") for layers in (1, 2))
    positions = 2048
    assert two.activations - one.activations == 4 * 2 * positions * 128  # of a block of the encoder and one of the decoder
    plain, again = planned(), planned(blocks)
    assert again.peak < plain.peak and again.activations < 0.3 * plain.activations
    assert again.work > plain.work  # a whole block's results exist at once
    assert again.graph > plain.graph


def test_sums_of_gradients_are_held_where_batches_are_added_up():
    once, four = planned(), planned("training.accumulate_batches=4")
    assert four.work - once.work == once.weights


@pytest.mark.parametrize(
    "shrunk", [LANGUAGE_MODELING, pytest.param(CONFORMER, marks=pytest.mark.slow)], ids=["language model", "conformer"]
)
def test_the_graph_is_about_as_large_as_it_is_told(shrunk):
    experiment = load(shrunk[0], shrunk[1:])
    training, task = experiment.recipe.training, experiment.recipe.task
    step = TrainingStep(task, experiment.declaration, training, create_state(experiment.declaration, training))
    batches = tf.data.IteratorSpec(signature(task.features()))
    graph = step.run.get_concrete_function(batches, tf.TensorSpec([], tf.int32)).graph.as_graph_def()
    operations = len(graph.node) + sum(len(function.node_def) for function in graph.library.function)
    assert num_operations(experiment.declaration) == pytest.approx(operations, rel=0.25)
