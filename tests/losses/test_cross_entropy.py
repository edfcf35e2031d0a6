"""The loss agrees with the definition, with Lingvo's outputs, and with its own gradient."""

import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.losses.cross_entropy import CrossEntropy

GOLDEN = np.load(Path(__file__).parents[1] / "goldens/lingvo/label_smoothed_loss.npz")


def random_case(positions=7, dim=5, vocabulary=6, seed=0):
    rng = np.random.default_rng(seed)
    hidden, table, bias = (rng.normal(size=shape).astype(np.float32) for shape in ((positions, dim), (vocabulary, dim), (vocabulary,)))
    labels = rng.integers(0, vocabulary, positions).astype(np.int32)
    weights = np.array([1, 1, 0, 1, 0.5, 1, 1], np.float32)[:positions]
    return hidden, table, bias, labels, weights


def smoothed_by_definition(logits, labels, u, spread):
    """-sum_k q_k log p_k with q written out."""
    vocabulary = logits.shape[1]
    q = np.full(logits.shape, u / vocabulary if spread == "all" else u / (vocabulary - 1))
    q[np.arange(len(labels)), labels] = 1 - u + (u / vocabulary if spread == "all" else 0.0)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return -(q * log_p).sum(1)


def test_two_equal_logits_cost_one_bit():
    loss = CrossEntropy().from_logits(tf.zeros([1, 2]), tf.constant([1]), tf.constant([1.0]))
    assert float(loss.total) == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize("spread", ["all", "others"])
@pytest.mark.parametrize("u", [0.0, 0.1, 0.4])
def test_both_forms_follow_the_definition(spread, u):
    hidden, table, bias, labels, weights = random_case()
    loss = CrossEntropy(label_smoothing=u, smoothing_spread=spread, chunk_positions=3)
    expected = (smoothed_by_definition(hidden @ table.T + bias, labels, u, spread) * weights).sum()
    direct = loss.from_logits(tf.constant(hidden @ table.T + bias), labels, weights)
    fused = loss.from_hidden(tf.constant(hidden), tf.constant(table), tf.constant(bias), labels, weights)
    assert float(direct.total) == pytest.approx(expected, rel=1e-5)
    assert float(fused.total) == pytest.approx(expected, rel=1e-5)
    assert float(fused.metrics["nll"]) == pytest.approx(float(direct.metrics["nll"]), rel=1e-5)
    assert float(fused.weight) == weights.sum()


@pytest.mark.parametrize("spread", ["all", "others"])
def test_the_fused_gradient_is_that_of_the_plain_form(spread):
    hidden, table, bias, labels, weights = random_case()
    loss = CrossEntropy(label_smoothing=0.1, smoothing_spread=spread, chunk_positions=2)
    variables = [tf.constant(array) for array in (hidden, table, bias)]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(variables)
        plain = 3.0 * loss.from_logits(tf.matmul(variables[0], variables[1], transpose_b=True) + variables[2], labels, weights).total
        fused = 3.0 * loss.from_hidden(*variables, labels, weights).total
    for one, other in zip(tape.gradient(plain, variables), tape.gradient(fused, variables), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6)


def test_positions_of_weight_zero_change_nothing():
    hidden, table, bias, labels, weights = random_case()
    loss = CrossEntropy(label_smoothing=0.1)
    changed = hidden.copy()
    changed[weights == 0] += 5.0
    totals = [float(loss.from_hidden(tf.constant(h), tf.constant(table), None, labels, weights).total) for h in (hidden, changed)]
    assert totals[0] == totals[1]


def test_logits_of_a_thousand_stay_finite():
    loss = CrossEntropy(label_smoothing=0.1)
    total = loss.from_hidden(tf.constant([[1000.0]]), tf.constant([[1.0], [-1.0]]), None, tf.constant([1]), tf.constant([1.0])).total
    assert float(total) == pytest.approx(0.95 * 2000.0, rel=1e-5)  # lse - (0.9 + 0.05) z_1 - 0.05 z_0 = 1000 + 950 - 50


@pytest.mark.parametrize(("case", "u"), [("smoothed", 0.1), ("hard", 0.0)])
def test_it_agrees_with_lingvo(case, u):
    weight, bias = GOLDEN[f"{case}/w/sm/weight_0/var"], GOLDEN[f"{case}/w/sm/bias_0/var"]
    labels, weights = GOLDEN[f"{case}/in/labels"].astype(np.int32), GOLDEN[f"{case}/in/class_weights"][:, 0]
    x = GOLDEN[f"{case}/in/x"]
    loss = CrossEntropy(label_smoothing=u, smoothing_spread="others")
    fused = loss.from_hidden(tf.constant(x), tf.constant(weight.T), tf.constant(bias), labels, weights)
    np.testing.assert_allclose(fused.total, GOLDEN[f"{case}/out/total_xent"], rtol=1e-5)
    np.testing.assert_allclose(fused.weight, GOLDEN[f"{case}/out/total_weight"], rtol=1e-6)
    np.testing.assert_allclose(fused.total / fused.weight, GOLDEN[f"{case}/out/avg_xent"], rtol=1e-5)
