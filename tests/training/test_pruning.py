"""Pruning: which entries become 0 and when, that they stay so, and that a run taken up again goes on to the same bits."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from seqcfg.checkpoints.commit import save
from seqcfg.checkpoints.read import CheckpointInfo
from seqcfg.cli import cli
from seqcfg.errors import UserError
from seqcfg.recipe.experiment import load
from seqcfg.tasks.trained import mean_weights
from seqcfg.training.examine import mean_gradients
from seqcfg.training.pruning import MASK, Pruning, grown, masked, num_zeros, pruned_weights, sparsity
from tests.training.stepping import FIRST, RECIPE, SECOND, Stepping, batch, trained

KERNEL, OTHER = f"{FIRST}/expand/kernel", f"{SECOND}/expand/kernel"
RULES = (
    f"training.pruning=[{{weights: [{KERNEL}], sparsity: 0.75, start_step: 2, end_step: 4, every_steps: 1, exponent: 1}},"
    f" {{weights: ['{FIRST}/*', '{OTHER}'], sparsity: 0.5, end_step: 3, every_steps: 2, block: [2, 4]}}]"
)


def zeros(array):
    return float(np.mean(np.asarray(array) == 0.0))


def test_the_share_follows_the_cubic_schedule():
    pruning = Pruning(weights=["*"], sparsity=0.9, initial_sparsity=0.1, start_step=10, end_step=110, every_steps=20)
    for done in (10, 30, 60, 110):
        expected = 0.9 + (0.1 - 0.9) * (1 - (done - 10) / 100) ** 3
        assert float(pruning.share(tf.constant(done, tf.int64))) == pytest.approx(expected)
    due = [done for done in range(130) if bool(pruning.is_due(tf.constant(done, tf.int64)))]
    assert due == [10, 30, 50, 70, 90, 110]
    uneven = Pruning(weights=["*"], sparsity=0.9, start_step=1, end_step=6, every_steps=4)
    assert [done for done in range(9) if bool(uneven.is_due(tf.constant(done, tf.int64)))] == [1, 5, 6], "the last one is left out"


def mask(pruning, weight, before=None):
    weight = tf.constant(weight, tf.float32)
    before = tf.ones(weight.shape, tf.bool) if before is None else tf.constant(before)
    return pruning.mask(weight, before, tf.constant(pruning.end_step, tf.int64)).numpy()


def test_the_smallest_go_and_exactly_as_many_as_the_share_even_where_magnitudes_are_equal():
    half = Pruning(weights=["*"], sparsity=0.5, end_step=1)
    assert mask(half, [[1.0, -4.0], [-2.0, 3.0]]).tolist() == [[False, True], [False, True]]
    assert mask(half, np.ones([5, 4])).sum() == 10


def test_blocks_go_as_one_by_the_mean_of_what_they_hold_at_the_edges_too():
    weight = [[1, 1, 9], [1, 1, 9], [5, 5, 2]]  # blocks of 2 x 2: means 1 and 9, then 5 and 2
    found = mask(Pruning(weights=["*"], sparsity=0.5, end_step=1, block=(2, 2)), weight)
    assert found.tolist() == [[False, False, True], [False, False, True], [True, True, False]]


def test_the_axes_before_the_last_are_the_rows_of_a_kernel():
    weight = np.arange(1, 13, dtype=np.float32).reshape(3, 2, 2)
    found = mask(Pruning(weights=["*"], sparsity=0.34, end_step=1, block=(2, 1)), weight)
    assert found.reshape(3, 4).all(1).tolist() == [False, True, True]


def test_what_is_0_stays_0_whatever_it_was_worth():
    pruning = Pruning(weights=["*"], sparsity=0.5, end_step=1)
    found = mask(pruning, [[9.0, 1.0], [2.0, 3.0]], [[False, True], [True, True]])
    assert found.tolist() == [[False, False], [True, True]]


def test_masks_grow_only_when_they_are_due():
    one = Pruning(weights=["*"], sparsity=0.5, start_step=4, end_step=4)
    weights, masks = {"w": tf.constant([[1.0, 2.0]])}, {"w" + MASK: tf.constant([[True, True]])}
    assert grown({"w": one}, weights, masks, tf.constant(3, tf.int64))["w" + MASK].numpy().all()
    after = grown({"w": one}, weights, masks, tf.constant(4, tf.int64))
    assert masked(weights, after)["w"].numpy().tolist() == [[0.0, 2.0]]
    assert float(sparsity(after)) == 0.5


@pytest.fixture(scope="module")
def halfway():
    """Two of five updates with a moving average, what they left in the state, and the same run three updates later."""
    batches = [batch(3, 5, seed) for seed in range(5)]
    options = (RULES, "training.ema_decay=0.5", "training.weight_noise={std: 0.01}", "training.optimizer={type: adam}")
    whole = trained(batches, 2, *options)
    early = {name: variable.numpy() for name, variable in whole.state.variables().items()}
    whole.run(3)
    return whole, early, Stepping(batches[2:], *options)


def test_weights_and_their_average_hold_the_zeros_and_the_others_are_learnt(halfway):
    whole, early, _ = halfway
    assert zeros(early[f"weights/{KERNEL}"]) == 0.0, "the share is 0 at the beginning"
    for path, share in ((KERNEL, 0.75), (OTHER, 0.5)):
        mask = whole.state.masks[path + MASK].numpy()
        for values in (whole.state.weights[path], whole.state.average[path]):
            assert zeros(values) == pytest.approx(share) and not values.numpy()[~mask].any()
    blocks = whole.state.weights[OTHER].numpy().reshape(-1, 2, whole.state.weights[OTHER].shape[-1] // 4, 4)
    assert {0, 8} == set(np.count_nonzero(blocks, axis=(1, 3)).ravel().tolist())
    untouched = f"{SECOND}/contract/kernel"
    assert zeros(whole.state.weights[untouched]) == 0.0 and untouched + MASK not in whole.state.masks
    total = sum(mask.shape.num_elements() for mask in whole.state.masks.values())
    share = sum(np.sum(~mask.numpy()) for mask in whole.state.masks.values()) / total
    assert float(whole.state.numbers["pruning/sparsity"]) == pytest.approx(share)


def test_no_gradient_reaches_what_is_0(halfway):
    whole, _, _ = halfway
    gradients = mean_gradients(whole.experiment, whole.state, [{k: tf.constant(v) for k, v in batch(3, 5, 9).items()}], 5)
    mask = whole.state.masks[KERNEL + MASK].numpy()
    assert not gradients[KERNEL].numpy()[~mask].any() and gradients[KERNEL].numpy()[mask].any()


def test_a_run_taken_up_from_its_variables_goes_on_to_the_same_bits(halfway):
    whole, early, resumed = halfway
    for name, variable in resumed.state.variables().items():
        variable.assign(early[name])
    resumed.run(3)
    differing = [name for name, value in resumed.state.variables().items() if not np.array_equal(value, whole.state.variables()[name])]
    assert differing == []


def test_a_checkpoint_of_the_run_gives_exports_the_zeros(halfway, tmp_path):
    whole, _, _ = halfway
    folder = save(tmp_path / "step", 5, whole.state.variables(), {})
    weights = mean_weights([CheckpointInfo(5, folder)])
    assert zeros(weights[KERNEL]) == 0.75 and zeros(weights[OTHER]) == 0.5
    assert MASK not in "".join(weights)


def test_the_first_rule_that_names_a_weight_counts_and_vectors_are_left_alone():
    experiment = load(RECIPE, (RULES,))
    found = pruned_weights(experiment.recipe.training.pruning, experiment.declaration)
    assert found[KERNEL].sparsity == 0.75 and found[OTHER].sparsity == 0.5
    assert not [path for path in found if path.endswith("bias")]
    sizes = {weight.path: weight.size for weight in experiment.declaration.all_weights()}
    assert num_zeros(experiment.recipe.training, experiment.declaration) == sum(round(found[path].sparsity * sizes[path]) for path in found)
    with pytest.raises(UserError, match=r"training\.pruning\.0 matches no matrix"):
        pruned_weights([Pruning(weights=["nowhere/*"], sparsity=0.5, end_step=1)], experiment.declaration)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ("sparsity: 0.5, start_step: 3, end_step: 2", "0.end_step"),
        ("sparsity: 0.5, initial_sparsity: 0.6, end_step: 2", "0.initial_sparsity"),
        ("sparsity: 0.5, end_step: 1000000000", "0.end_step"),
        ("sparsity: 1.0, end_step: 2", "0.sparsity"),
    ],
)
def test_schedules_that_cannot_be_kept_are_refused(rule, field):
    with pytest.raises(UserError) as refused:
        load(RECIPE, (f"training.pruning=[{{weights: ['*'], {rule}}}]",))
    assert [problem.path for problem in refused.value.problems] == [f"training.pruning.{field}"]


def test_plan_and_diff_tell_of_the_zeros(tmp_path):
    rule = "training.pruning=[{weights: ['*/kernel'], sparsity: 0.5, end_step: 2}]"
    told = CliRunner().invoke(cli, ["plan", RECIPE, "--set", rule]).output
    experiment = load(RECIPE, (rule,))
    zeros = num_zeros(experiment.recipe.training, experiment.declaration)
    assert f"{zeros:,} of them are 0 in the end" in told and "masks" in told
    shutil.copy(RECIPE, tmp_path / "smallest.yaml")
    pruned = tmp_path / "pruned.yaml"
    pruning = rule.removeprefix("training.").replace("=", ": ", 1)
    pruned.write_text(f"recipe_version: 1\nname: pruned\nbase: smallest.yaml\ntraining: {{{pruning}}}\n")
    compared = CliRunner().invoke(cli, ["diff", RECIPE, str(pruned)])
    assert "parameters that pruning makes 0" in compared.output and f"{zeros:,}" in compared.output
