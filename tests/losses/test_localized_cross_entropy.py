"""Labels smoothed towards their neighbours: Lingvo's numbers, and the loss that follows from them."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.losses.localized_cross_entropy import LocalizedCrossEntropy, Neighbor
from seqcfg.losses.targets import token_loss
from tests.layers.test_lingvo_goldens import close, golden

LOSS = LocalizedCrossEntropy()


def spread(labels, weights, vocabulary):
    """q as a table [batch, time, vocabulary]."""
    own, others = LOSS.shares(tf.constant(labels), tf.constant(weights, tf.float32))
    q = own[..., None] * tf.one_hot(labels, vocabulary)
    for label, share in others:
        q += share[..., None] * tf.one_hot(label, vocabulary)
    return q.numpy()


def test_the_shares_are_lingvo_s():
    _, given, expected = golden("label_smoothed_loss", "localized")
    close(spread(given["labels"].astype(np.int32), 1 - given["paddings"], 9), expected["smoothed"])


@pytest.mark.parametrize("has_bias", [True, False])
def test_the_loss_is_the_cross_entropy_with_these_shares(has_bias):
    rng = np.random.default_rng(1)
    hidden, table = rng.normal(size=[2, 5, 4]), rng.normal(size=[7, 4])
    bias = rng.normal(size=[7]) if has_bias else np.zeros([7])
    labels, lengths = np.array([[4, 5, 6, 5, 3], [6, 4, 3, 0, 0]], np.int32), np.array([5, 3])
    weights = (np.arange(5) < lengths[:, None]).astype(np.float32)
    logits = hidden @ table.T + bias
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = -(spread(labels, weights, 7) * np.log(p)).sum(-1)
    arguments = [tf.constant(x, tf.float32) for x in (hidden, table, bias)]
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        given = (arguments[1], arguments[2] if has_bias else None)
        found = token_loss(LOSS, arguments[0], given, tf.constant(labels), tf.constant(lengths))
    assert float(found.total) == pytest.approx((expected * weights).sum(), rel=1e-5)
    gradient = tape.gradient(found.total, arguments[0])
    slope = ((p - spread(labels, weights, 7)) * weights[..., None]) @ table
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-5)


def test_a_label_is_not_its_own_neighbour():
    assert [field for field, _, _ in LocalizedCrossEntropy(neighbors=[Neighbor(offset=0, weight=0.1)]).check()] == ["neighbors"]
