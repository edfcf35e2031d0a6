"""Options of the step, on the smallest model: what they change, and what they leave alone."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.data.augment import augmented
from seqcfg.errors import UserError
from seqcfg.recipe.experiment import load
from tests.training.stepping import FIRST, RECIPE, SECOND, Stepping, assert_near, batch, joined, trained

BATCH = batch(4, 6, 0)
PLAIN = ("training.schedule.value=0.5",)


@pytest.fixture(scope="module")
def plain():
    """Two updates of plain descent."""
    return trained([BATCH, BATCH], 2)


def test_four_micro_batches_are_one_big_batch(plain):
    parts = [batch(rows, 6, seed) for seed, rows in enumerate((1, 3, 2, 2))]
    split = trained(parts, 1, "training.accumulate_batches=4")
    whole = trained([joined(*parts)], 1)
    assert_near(split, whole)
    assert split.measured[0]["norm"] == pytest.approx(whole.measured[0]["norm"], rel=1e-5)
    assert split.measured[0]["weight"] == whole.measured[0]["weight"]


def test_rematerialised_blocks_give_the_same_weights_with_the_same_dropout(plain):
    noisy = ("task.model.decoder.layers.0.dropout=0.5", "task.model.decoder.layers.1.dropout=0.5")
    kept = trained([BATCH, BATCH], 2, *noisy)
    again = trained([BATCH, BATCH], 2, *noisy, "training.rematerialized=[model/decoder/layers/*]")
    assert_near(kept, again, 1e-7)
    assert np.abs(kept.weights()[f"{FIRST}/expand/kernel"] - plain.weights()[f"{FIRST}/expand/kernel"]).max() > 1e-4


def test_float16_learns_as_float32_and_halves_a_scale_that_is_too_large(plain):
    half = trained([BATCH] * 10, 2, "training.precision=float16", "training.loss_scale={start: 1.0e8}")
    while int(half.state.step.numpy()) - int(half.state.skipped.numpy()) < 2:
        half.run(1)
    assert int(half.state.skipped.numpy()) > 0
    assert float(half.state.numbers["loss_scale/scale"]) < 1e8
    assert {variable.dtype for variable in half.state.weights.values()} == {tf.float32}
    assert_near(half, plain, 2e-3)


def test_an_adapter_moves_its_weight_by_a_product_of_low_rank_and_leaves_the_rest():
    adapted = f"{FIRST}/expand/kernel"
    found = trained([BATCH] * 3, 3, f"training.adapters={{weights: [{adapted}], rank: 2, scale: 2.0}}", "training.frozen=['*']")
    assert found.moved() == {adapted}
    change = found.weights()[adapted] - found.before[adapted]
    assert np.linalg.matrix_rank(change, tol=1e-6) == 2
    down, up = (found.state.adapters[adapted + part].numpy() for part in ("#down", "#up"))
    np.testing.assert_allclose(change, down @ up, atol=1e-6)


def test_adapters_that_match_nothing_are_refused():
    with pytest.raises(UserError, match="matches no matrix"):
        trained([BATCH], 1, "training.adapters={weights: [nowhere/*]}")


def test_updates_above_a_norm_are_left_out_and_counted_until_there_are_too_many():
    found = trained([BATCH] * 3, 3, "training.skip={max_norm: 1.0e-3, max_in_a_row: 3}")
    assert found.moved() == set()
    assert int(found.state.skipped.numpy()) == 3
    with pytest.raises(UserError, match="step 3: the last 3 updates"):
        found.step.refuse_too_many_skipped()


def test_decay_penalties_noise_and_bounds_by_weight_reach_the_weights(plain):
    kernel = f"{FIRST}/expand/kernel"
    decayed = trained([BATCH], 1, f"training.penalties={{weight_decay: 0.1, weights: [{kernel}]}}")
    once = trained([BATCH], 1)
    expected = once.weights()[kernel] - 0.5 * 0.1 * once.before[kernel]
    np.testing.assert_allclose(decayed.weights()[kernel], expected, atol=1e-7)
    noisy = trained([BATCH], 1, "training.gradient_noise={eta: 0.01}", "training.weight_noise={std: 0.05}", "training.penalties={l2: 0.1}")
    difference = np.concatenate([(noisy.weights()[path] - once.weights()[path]).ravel() for path in once.weights()])
    assert 0.01 < np.std(difference) < 0.2


def test_a_decay_by_validation_lowers_the_rate_of_the_next_updates():
    found = trained([BATCH] * 2, 1, "training.schedule={type: dev_based, value: 0.5, window_steps: 1, decay: 0.1}")
    assert found.measured[0]["rate"] == pytest.approx(0.5)
    found.step.observe(1, {"nll": 2.0})
    found.step.observe(2, {"nll": 3.0})
    assert found.run(1)[0]["rate"] == pytest.approx(0.05)
    assert {"numbers/schedule/main/factor", "numbers/schedule/main/best"} <= set(found.state.variables())
    with pytest.raises(UserError, match="watches the metric 'nll'"):
        found.step.observe(3, {"bleu": 1.0})


def test_learners_have_their_own_optimizer_period_and_bounds():
    first = f"weights: ['{FIRST}/*'], optimizer: {{type: adafactor, min_factored: 2}}, every_steps: 2"
    second = f"weights: ['{SECOND}/*'], optimizer: {{type: lamb}}, schedule: {{type: constant, value: 0.1}}, skip: {{max_norm: 1.0e-6}}"
    found = trained([BATCH] * 2, 2, f"training.learners={{a: {{{first}}}, b: {{{second}}}}}")
    assert {path.rpartition("/layer/")[0] for path in found.moved()} == {FIRST.rpartition("/layer")[0]}
    assert set(found.state.slots["a"]) == {"row", "column", "square"}
    assert int(found.state.skipped.numpy()) == 2


def test_the_stochastic_average_is_the_mean_of_the_weights_that_entered():
    found = trained([BATCH] * 4, 2, "training.weight_averaging={start_step: 2}")
    kept = [found.weights()]
    for _ in range(2):
        found.run(1)
        kept.append(found.weights())
    path = f"{FIRST}/expand/kernel"
    np.testing.assert_allclose(found.state.average[path], np.mean([weights[path] for weights in kept], 0), atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (("training.ema_decay=0.9", "training.weight_averaging={start_step: 1}"), "weight_averaging"),
        (("training.learners={a: {}}", "training.skip={max_norm: 1.0}"), "skip"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(settings, field):
    with pytest.raises(UserError) as refused:
        load(RECIPE, settings)
    assert any(problem.path == f"training.{field}" for problem in refused.value.problems)


def test_a_step_taken_up_from_its_variables_goes_on_to_the_same_bits():
    learners = (
        f"training.learners={{a: {{weights: ['{FIRST}/*'], optimizer: {{type: adafactor, min_factored: 2, momentum: 0.9}}, "
        f"schedule: {{type: dev_based, value: 0.1, window_steps: 1}}, gradient_noise: {{}}}}, "
        f"b: {{weights: ['model/embedding/*', '{SECOND}/*'], skip: {{outliers: {{decay: 0.5}}, max_in_a_row: 9}}, every_steps: 2}}}}"
    )
    options = (
        learners,
        "training.precision=float16",
        "training.loss_scale={growth_steps: 2}",
        f"training.adapters={{weights: ['{SECOND}/*']}}",
        "training.weight_noise={std: 0.01, start_step: 1}",
        "training.weight_averaging={start_step: 1}",
        "training.accumulate_batches=2",
        "task.model.decoder.layers.0.dropout=0.5",
    )
    batches = [batch(3, 5, seed) for seed in range(8)]
    whole = trained(batches, 2, *options)
    whole.step.observe(2, {"nll": 2.0})
    at_two = {name: variable.numpy() for name, variable in whole.state.variables().items()}
    whole.run(2)
    resumed = Stepping(batches[4:], *options)
    for name, variable in resumed.state.variables().items():
        variable.assign(at_two[name])
    resumed.run(2)
    differing = [
        name for name, variable in resumed.state.variables().items() if not np.array_equal(variable, whole.state.variables()[name])
    ]
    assert differing == []
    assert any(not np.array_equal(variable, at_two[name]) for name, variable in whole.state.variables().items())


def test_a_step_learns_from_the_augmented_batch_of_its_number():
    changed, plain = "data.augmentation={text: [{type: token_dropout, rate: 0.5}]}", [batch(4, 9, seed) for seed in range(4)]
    augmentation = load(RECIPE, (changed,)).recipe.data.augmentation
    by_hand = [{name: value.numpy() for name, value in augmented(one, augmentation, 1, number).items()} for number, one in enumerate(plain)]
    assert all((one["text"] != other["text"]).any() for one, other in zip(plain, by_hand, strict=True))
    two_a_step = "training.accumulate_batches=2"
    assert_near(trained(plain, 2, changed, two_a_step), trained(by_hand, 2, two_a_step))
