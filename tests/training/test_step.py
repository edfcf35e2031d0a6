"""The step: what is divided, what is clipped, who learns what."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.errors import UserError
from seqcfg.recipe.experiment import load
from seqcfg.training.state import assign_weights, create_state
from seqcfg.training.step import MEASURED, TrainingStep

RECIPE = str(Path(__file__).parent / "tiny.yaml")
QUIET = ("task.model.encoder.layers.1.dropout=0", "task.model.encoder.layers.2.dropout=0", "task.model.decoder.layers.3.dropout=0")


def random_batch(rows, time, seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, time + 1, (2, rows)).astype(np.int32)
    ids = rng.integers(4, 260, (2, rows, time)).astype(np.int32) * (np.arange(time) < lengths[:, :, None])
    return {"source": ids[0], "source_length": lengths[0], "target": ids[1], "target_length": lengths[1]}


def joined(*batches):
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def trained(batches, steps, *overrides):
    """(state, measured) after `steps` updates on these batches."""
    experiment = load(RECIPE, overrides)
    state = create_state(experiment.declaration, experiment.recipe.training)
    step = TrainingStep(experiment.recipe.task, experiment.declaration, experiment.recipe.training, state)
    dataset = tf.data.Dataset.from_generator(
        lambda: iter(batches),
        output_signature={name: tf.TensorSpec([None] * value.ndim, value.dtype) for name, value in batches[0].items()},
    )
    return state, step.run(iter(dataset), tf.constant(steps)), step


def assert_same_weights(one, other, tolerance=1e-6):
    for path, variable in one.weights.items():
        np.testing.assert_allclose(variable, other.weights[path], atol=tolerance, err_msg=path)


def test_the_gradient_of_two_batches_added_up_is_that_of_both_in_one():
    parts = [random_batch(3, 6, 0), random_batch(3, 6, 1)]
    split, seen_split, _ = trained(parts, 1, "training.accumulate_batches=2", "training.optimizer={type: sgd}", *QUIET)
    whole, seen_whole, _ = trained([joined(*parts)], 1, "training.optimizer={type: sgd}", *QUIET)
    assert_same_weights(split, whole)
    assert float(seen_split["total"]) == pytest.approx(float(seen_whole["total"]), rel=1e-6)
    assert float(seen_split["norm"]) == pytest.approx(float(seen_whole["norm"]), rel=1e-5)


def test_empty_rows_change_neither_loss_nor_weights():
    batch = random_batch(3, 6, 0)
    padded = {name: np.concatenate([value, np.zeros_like(value[:2])]) for name, value in batch.items()}
    one, seen, _ = trained([batch], 1, *QUIET)
    other, seen_padded, _ = trained([padded], 1, *QUIET)
    assert_same_weights(one, other)
    assert float(seen["total"]) == pytest.approx(float(seen_padded["total"]), rel=1e-6)
    assert float(seen_padded["examples"]) == 3


def test_the_same_steps_give_the_same_bits_in_one_call_or_many():
    batches = [random_batch(3, 6, seed) for seed in range(4)]
    one, _, _ = trained(batches, 4)
    experiment = load(RECIPE)
    state = create_state(experiment.declaration, experiment.recipe.training)
    step = TrainingStep(experiment.recipe.task, experiment.declaration, experiment.recipe.training, state)
    dataset = tf.data.Dataset.from_generator(
        lambda: iter(batches),
        output_signature={name: tf.TensorSpec([None] * value.ndim, value.dtype) for name, value in batches[0].items()},
    )
    iterator = iter(dataset)
    for _ in range(4):
        step.run(iterator, tf.constant(1))
    assert all(np.array_equal(variable, state.weights[path]) for path, variable in one.weights.items())


def test_batches_of_other_shapes_are_not_traced_again():
    _, _, step = trained([random_batch(3, 6, 0), random_batch(2, 9, 1), random_batch(5, 4, 2)], 3)
    assert step.run.experimental_get_tracing_count() == 1


def test_clipping_by_norm_limits_the_first_step_of_plain_descent():
    settings = ("training.optimizer={type: sgd}", "training.schedule={type: constant, value: 1.0}", "training.clip.norm=0.01", *QUIET)
    experiment = load(RECIPE, settings)
    before = create_state(experiment.declaration, experiment.recipe.training)
    after, seen, _ = trained([random_batch(3, 6, 0)], 1, *settings)
    moved = np.sqrt(sum(np.sum((after.weights[path] - variable) ** 2) for path, variable in before.weights.items()))
    assert float(seen["norm"]) > 0.01
    assert moved == pytest.approx(0.01, rel=1e-3)


def test_a_gradient_that_is_not_finite_is_skipped_and_counted_and_ends_the_call():
    settings = ("training.schedule={type: constant, value: 1e30}", "training.optimizer={type: sgd}", "training.clip.norm=null", *QUIET)
    state, seen, _ = trained([random_batch(3, 6, seed) for seed in range(3)], 3, *settings)
    assert (int(state.skipped), int(state.step)) == (1, 2)  # the first update ruins the weights
    assert seen["each"].shape == (2, len(MEASURED))


def test_a_call_that_is_told_to_stop_makes_no_further_update():
    experiment = load(RECIPE)
    state = create_state(experiment.declaration, experiment.recipe.training)
    step = TrainingStep(experiment.recipe.task, experiment.declaration, experiment.recipe.training, state)
    step.stop.assign(True)
    dataset = tf.data.Dataset.from_tensors(random_batch(3, 6, 0))
    assert step.run(iter(dataset), tf.constant(3))["each"].shape == (0, len(MEASURED))
    assert int(state.step) == 0


def test_frozen_weights_stay_where_they_started():
    experiment = load(RECIPE)
    before = create_state(experiment.declaration, experiment.recipe.training)
    after, _, _ = trained([random_batch(3, 6, 0)], 1, "training.frozen=[model/encoder/*]")
    for path, variable in before.weights.items():
        assert np.array_equal(variable, after.weights[path]) == path.startswith("model/encoder/"), path


def test_learners_that_alternate_move_their_own_weights_only():
    encoder, decoder = "weights: [model/encoder/*], every_steps: 2", "weights: [model/decoder/*], every_steps: 2, offset_steps: 1"
    settings = (f"training.learners={{a: {{{encoder}}}, b: {{{decoder}}}}}", "training.clip!", *QUIET)
    experiment = load(RECIPE, settings)
    before = create_state(experiment.declaration, experiment.recipe.training)
    after, _, _ = trained([random_batch(3, 6, 0)], 1, *settings)
    moved = {path.split("/")[1] for path, variable in before.weights.items() if not np.array_equal(variable, after.weights[path])}
    assert moved == {"encoder"}


def test_two_learners_may_not_claim_one_weight():
    experiment = load(RECIPE, ["training.learners={a: {weights: ['*']}, b: {weights: [model/decoder/*]}}", "training.clip!"])
    with pytest.raises(UserError, match="both claim model/decoder"):
        assign_weights(experiment.declaration, experiment.recipe.training)


def test_bfloat16_keeps_float32_weights_and_a_near_loss():
    batch = [random_batch(3, 6, 0)]
    _, exact, _ = trained(batch, 1, *QUIET)
    state, rounded, _ = trained(batch, 1, "training.precision=bfloat16", *QUIET)
    assert {variable.dtype for variable in state.weights.values()} == {tf.float32}
    assert float(rounded["total"]) == pytest.approx(float(exact["total"]), rel=2e-2)


def test_xla_computes_the_same_step():
    batch = [random_batch(3, 6, 0)]
    plain, seen, _ = trained(batch, 1, "training.optimizer={type: sgd}", *QUIET)
    compiled, seen_compiled, _ = trained(batch, 1, "training.optimizer={type: sgd}", "training.xla=true", *QUIET)
    assert float(seen["total"]) == pytest.approx(float(seen_compiled["total"]), rel=1e-5)
    assert_same_weights(plain, compiled, 1e-5)
