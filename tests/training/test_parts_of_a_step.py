"""What is done to losses, gradients and weights around the optimizer: each part by hand, without a model."""

import math

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.errors import UserError
from seqcfg.training.averaging import WeightAveraging
from seqcfg.training.clipping import Clip
from seqcfg.training.loss_scale import LossScale
from seqcfg.training.noise import GradientNoise, WeightNoise
from seqcfg.training.penalties import Penalties
from seqcfg.training.skipping import Outliers, Skip

SEED = tf.constant([1, 7], tf.int32)


def test_clipping_bounds_entries_then_weights_then_all_of_them():
    gradients = [tf.constant([3.0, -4.0]), tf.constant([12.0])]
    norm = tf.linalg.global_norm(gradients)
    assert [g.numpy().tolist() for g in Clip(value=3.5)(gradients, norm)] == [[3.0, -3.5], [3.5]]
    np.testing.assert_allclose(np.concatenate(Clip(weight_norm=2.5)(gradients, norm)), [1.5, -2.0, 2.5], rtol=1e-6)
    np.testing.assert_allclose(np.concatenate(Clip(norm=6.5)(gradients, norm)), [1.5, -2.0, 6.0], rtol=1e-6)
    np.testing.assert_array_equal(np.concatenate(Clip(norm=13.5)(gradients, norm)), [3.0, -4.0, 12.0])


def follow(skip, norms):
    """[whether each of these norms leads to a left out update], and the numbers after them."""
    numbers, found = {name: tf.constant(start) for name, start in skip.numbers().items()}, []
    for norm in norms:
        leaves, numbers = skip(tf.constant(norm), numbers)
        found.append(bool(leaves))
    return found, {name: float(value) for name, value in numbers.items()}


def test_norms_that_are_not_finite_or_above_the_bound_are_left_out():
    assert follow(Skip(), [1.0, math.nan, math.inf])[0] == [False, True, True]
    assert follow(Skip(max_norm=2.0), [2.0, 2.1])[0] == [False, True]


def test_running_mean_and_deviation_in_log_space_follow_their_formula():
    outliers = Outliers(decay=0.5, deviations=2.0)
    sums = [0.0, 0.0, 0.0]
    numbers = {name: tf.constant(start) for name, start in outliers.numbers().items()}
    for norm in (1.0, 1.5, 1.0, 400.0):
        x, bound = math.log(norm + 1), math.inf
        if sums[2] > 0.75:
            mean = sums[0] / sums[2]
            bound = mean + 2.0 * math.sqrt(max(sums[1] / sums[2] - mean**2, 1e-6))
        is_outlier, numbers = outliers(tf.constant(norm), numbers)
        assert bool(is_outlier) == (x > bound)
        kept = min(x, bound)
        sums = [0.5 * old + 0.5 * new for old, new in zip(sums, (kept, kept**2, 1.0), strict=True)]
        np.testing.assert_allclose([float(numbers[name]) for name in ("log_mean", "log_square", "total")], sums, rtol=1e-5)
    assert bool(is_outlier)


def test_outliers_wait_for_statistics_and_never_concern_small_norms():
    steady = [1.0, 1.1] * 150
    assert follow(Skip(outliers=Outliers()), [100.0, *steady[:5], 100.0])[0] == [False] * 7
    assert follow(Skip(outliers=Outliers()), [*steady, 100.0])[0][-1]
    assert not follow(Skip(outliers=Outliers(least_norm=100.0)), [*steady, 99.0])[0][-1]


def test_a_norm_that_is_not_finite_changes_no_statistics():
    skip = Skip(outliers=Outliers())
    assert follow(skip, [1.0, math.nan])[1] == follow(skip, [1.0])[1]


def test_too_many_left_out_in_a_row_end_the_run():
    skip = Skip(max_norm=1.0, max_in_a_row=2)
    assert follow(skip, [2.0, 0.5, 2.0, 2.0])[1] == {"in_a_row": 2.0}
    assert follow(skip, [2.0, math.nan, 2.0]) == ([True] * 3, {"in_a_row": 2.0})  # what is not finite is counted by non_finite alone
    skip.refuse_too_many("main", 1, 7)
    with pytest.raises(UserError, match="step 7: the last 2 updates of learner 'main'"):
        skip.refuse_too_many("main", 2, 7)


def test_the_loss_scale_halves_when_it_overflows_and_doubles_after_a_while():
    settings, seen = LossScale(start=8.0, growth_steps=2), []
    numbers = {name: tf.constant(start) for name, start in settings.numbers().items()}
    for is_finite in (False, True, True, True, False):
        numbers = settings(tf.constant(is_finite), numbers)
        seen.append((float(numbers["scale"]), float(numbers["finite"])))
    assert seen == [(4.0, 0.0), (4.0, 1.0), (8.0, 0.0), (8.0, 1.0), (4.0, 0.0)]


def test_penalties_concern_the_weights_they_name():
    penalties = Penalties(l1=0.5, l2=0.25, weight_decay=0.1, excluded=["*/bias"])
    weight, gradient = tf.constant([2.0, -4.0]), tf.constant([1.0, 1.0])
    assert penalties.gradient("a/kernel", gradient, weight).numpy().tolist() == [1.0 + 0.5 + 0.5, 1.0 - 1.0 - 0.5]
    assert penalties.gradient("a/bias", gradient, weight).numpy().tolist() == [1.0, 1.0]
    assert (penalties.decay("a/kernel"), penalties.decay("a/bias")) == (0.1, 0.0)


def test_weight_noise_begins_at_its_step_and_reaches_what_its_patterns_name():
    tree = {"a/kernel": tf.zeros([4000]), "b/kernel": tf.zeros([3])}
    noise = WeightNoise(std=0.5, start_step=3, weights=["a/*"])
    assert not np.any(noise(tree, tf.constant(2), SEED)["a/kernel"])
    noisy = noise(tree, tf.constant(3), SEED)
    assert np.std(noisy["a/kernel"]) == pytest.approx(0.5, rel=0.05)
    assert not np.any(noisy["b/kernel"])
    np.testing.assert_array_equal(noisy["a/kernel"], noise(tree, tf.constant(9), SEED)["a/kernel"])  # the seed alone decides


def test_gradient_noise_fades_by_its_power_of_the_step():
    gradients = {"a": tf.zeros([4000])}
    deviations = [np.std(GradientNoise(eta=0.04, gamma=0.5)(gradients, tf.constant(step), SEED)["a"]) for step in (0, 15)]
    np.testing.assert_allclose(deviations, [0.2, 0.1], rtol=0.05)


def test_stochastic_averaging_is_the_plain_mean_of_what_enters():
    averaging, average = WeightAveraging(start_step=3, every_steps=2), 0.0
    for done in range(1, 8):
        share = float(averaging.share(tf.constant(done)))
        average = (1.0 - share) * average + share * done**2
        expected = [1, 4, 9, 9, (9 + 25) / 2, (9 + 25) / 2, (9 + 25 + 49) / 3][done - 1]
        assert average == pytest.approx(expected, rel=1e-6)
