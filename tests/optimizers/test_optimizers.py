"""One or two updates by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.optimizers.adafactor import Adafactor
from seqcfg.optimizers.adagrad import AdaGrad
from seqcfg.optimizers.adam import Adam, AdamW
from seqcfg.optimizers.lamb import LAMB
from seqcfg.optimizers.lion import Lion
from seqcfg.optimizers.rmsprop import RMSProp
from seqcfg.optimizers.sgd import SGD


def updated(optimizer, gradients, rate, weight):
    """(weight, slots) after updates with these gradients."""
    value = tf.constant(weight)
    slots = {name: tf.fill(slot.shape, slot.start) for name, slot in optimizer.slots(tuple(value.shape)).items()}
    for step, gradient in enumerate(gradients):
        value, slots = optimizer.update(tf.constant(gradient), value, slots, optimizer.scalars(tf.constant(rate), step))
    return value, slots


def run(optimizer, gradients, rate=0.1, weight=1.0):
    """The weight, a number, after updates with these gradients."""
    return float(updated(optimizer, gradients, rate, weight)[0])


def test_plain_descent():
    assert run(SGD(), [2.0, 1.0]) == pytest.approx(1.0 - 0.2 - 0.1)


def test_momentum_adds_up_gradients():
    assert run(SGD(momentum=0.5), [2.0, 1.0]) == pytest.approx(1.0 - 0.1 * 2.0 - 0.1 * (0.5 * 2.0 + 1.0))


def test_nesterov_looks_ahead():
    assert run(SGD(momentum=0.5, nesterov=True), [2.0]) == pytest.approx(1.0 - 0.1 * (2.0 + 0.5 * 2.0))


@pytest.mark.parametrize("gradient", [1e-3, 1.0, -250.0])
def test_the_first_step_of_adam_is_the_rate_against_the_sign(gradient):
    assert run(Adam(), [gradient]) == pytest.approx(1.0 - 0.1 * math.copysign(1, gradient), rel=1e-4)


def test_adam_follows_the_paper_for_two_steps():
    b1, b2, epsilon, rate = 0.9, 0.98, 1e-3, 0.1
    mean = square = 0.0
    weight = 1.0
    for t, gradient in enumerate([2.0, -1.0], start=1):
        mean = b1 * mean + (1 - b1) * gradient
        square = b2 * square + (1 - b2) * gradient**2
        weight -= rate * (mean / (1 - b1**t)) / (math.sqrt(square / (1 - b2**t)) + epsilon)
    assert run(Adam(beta2=b2, epsilon=epsilon), [2.0, -1.0]) == pytest.approx(weight, rel=1e-5)


def test_decoupled_decay_takes_off_a_share_of_the_weight():
    assert run(AdamW(weight_decay=0.5), [1.0]) == pytest.approx(run(Adam(), [1.0]) - 0.1 * 0.5 * 1.0, rel=1e-5)


def test_rmsprop_divides_by_the_root_of_the_mean_square():
    first, second = 0.5 * 4.0, 0.5 * (0.5 * 4.0) + 0.5 * 1.0
    expected = 1.0 - 0.1 * 2.0 / math.sqrt(first) - 0.1 * -1.0 / math.sqrt(second)
    assert run(RMSProp(decay=0.5), [2.0, -1.0]) == pytest.approx(expected, rel=1e-5)


def test_rmsprop_with_momentum_repeats_its_move():
    first = 0.1 * 2.0 / math.sqrt(2.0)
    second = 0.5 * first + 0.1 * 2.0 / math.sqrt(3.0)
    assert run(RMSProp(decay=0.5, momentum=0.5), [2.0, 2.0]) == pytest.approx(1.0 - first - second, rel=1e-5)


def test_centered_rmsprop_divides_by_the_deviation():
    assert run(RMSProp(decay=0.5, centered=True), [2.0]) == pytest.approx(1.0 - 0.1 * 2.0 / math.sqrt(2.0 - 1.0), rel=1e-5)


def test_adagrad_adds_up_squares():
    expected = 1.0 - 0.1 * 2.0 / math.sqrt(1.0 + 4.0) - 0.1 * 3.0 / math.sqrt(1.0 + 4.0 + 9.0)
    assert run(AdaGrad(start=1.0), [2.0, 3.0]) == pytest.approx(expected, rel=1e-5)


def test_lion_moves_by_the_rate_and_decays_the_weight():
    # directions: sign(0.1 * 2) = 1; mean 0.02; sign(0.9 * 0.02 - 0.1 * 0.1) = 1; mean 0.0188; sign(0.9 * 0.0188 - 0.1) = -1
    assert run(Lion(), [2.0, -0.1, -1.0], weight=0.0) == pytest.approx(-0.1 - 0.1 + 0.1)
    assert run(Lion(weight_decay=0.5), [2.0]) == pytest.approx(1.0 - 0.1 * (1.0 + 0.5))


def test_lamb_steps_as_far_as_the_weight_is_long():
    weight, gradient = np.float32([3.0, 4.0]), np.float32([1.0, -2.0])
    moved, _ = updated(LAMB(weight_decay=0.0), [gradient], 0.1, weight)
    direction = np.float32([1.0, -1.0])  # Adam's first direction is the sign
    np.testing.assert_allclose(moved, weight - 0.1 * 5.0 / math.sqrt(2.0) * direction, rtol=1e-5)


def test_lamb_moves_a_weight_that_starts_at_zero_as_adam_does():
    moved, _ = updated(LAMB(), [np.float32([1.0, -2.0])], 0.1, np.zeros(2, np.float32))
    np.testing.assert_allclose(moved, [-0.1, 0.1], rtol=1e-5)


def test_adafactor_keeps_a_row_and_a_column_of_a_matrix_and_all_of_a_vector():
    optimizer = Adafactor(min_factored=2)
    shapes = {name: slot.shape for name, slot in optimizer.slots((5, 2, 3)).items()}
    assert shapes == {"row": (5, 2), "column": (5, 3)}
    assert {name: slot.shape for name, slot in optimizer.slots((7,)).items()} == {"square": (7,)}
    assert set(Adafactor(min_factored=4, momentum=0.9).slots((3, 9))) == {"square", "step"}


def test_adafactor_recovers_a_gradient_of_rank_one_exactly():
    row, column = np.float32([1.0, 2.0]), np.float32([1.0, 3.0, 0.5])
    gradient = row[:, None] * column
    moved, slots = updated(Adafactor(min_factored=2, scale_by_weight=False), [gradient], 0.1, np.zeros((2, 3), np.float32))
    np.testing.assert_allclose(moved, -0.1 * np.ones((2, 3)), rtol=1e-4)  # g / sqrt(g^2), whose root mean square is 1
    np.testing.assert_allclose(slots["row"], np.mean(gradient**2, -1), rtol=1e-5)


def test_adafactor_by_hand_for_two_steps_of_a_number():
    square, weight = 0.0, 2.0
    for t, gradient in enumerate([3.0, 1.0], start=1):
        square += t**-0.8 * (gradient**2 - square)
        u = gradient / math.sqrt(square)
        weight -= 0.1 * max(1e-3, abs(weight)) * u / max(1.0, abs(u))
    assert run(Adafactor(), [3.0, 1.0], weight=2.0) == pytest.approx(weight, rel=1e-5)
