"""One or two updates by hand."""

import math

import pytest
import tensorflow as tf

from seqcfg.optimizers.adam import Adam, AdamW
from seqcfg.optimizers.sgd import SGD


def run(optimizer, gradients, rate=0.1, weight=1.0):
    """The weight after updates with these gradients."""
    slots = {name: tf.constant(start) for name, start in optimizer.slots().items()}
    value = tf.constant(weight)
    for step, gradient in enumerate(gradients):
        value, slots = optimizer.update(tf.constant(gradient), value, slots, optimizer.scalars(tf.constant(rate), step))
    return float(value)


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
