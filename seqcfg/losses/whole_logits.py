"""Cross-entropy whose logits all exist at once, from operations that a mesh of devices can divide."""

from __future__ import annotations

from typing import Any

from seqcfg.lazy import tf
from seqcfg.losses.cross_entropy import CrossEntropy
from seqcfg.losses.loss_sum import LossSum


class WholeLogits(CrossEntropy):
    """The loss of its parent, up to rounding. Logits are divided by rows of the batch and by the vocabulary, as their weights are.

    Sums over the vocabulary are sums over devices then (arXiv:1909.08053, section 3): no device sees all logits of a position.
    """

    def from_hidden(self, hidden: Any, table: Any, bias: Any, labels: Any, weights: Any) -> LossSum:
        """hidden [positions, dim], table [vocabulary, dim], bias [vocabulary] or None, labels, weights [positions]."""
        logits = tf.cast(tf.matmul(hidden, table, transpose_b=True), tf.float32)
        if bias is not None:
            logits += tf.cast(bias, tf.float32)
        largest = tf.stop_gradient(tf.reduce_max(logits, -1, keepdims=True))
        lse = tf.math.log(tf.reduce_sum(tf.exp(logits - largest), -1)) + largest[:, 0]
        label_logits = tf.reduce_sum(logits * tf.one_hot(labels, logits.shape[-1]), -1)
        a, b = self.coefficients(logits.shape[-1])
        loss = lse - a * label_logits - b * tf.reduce_sum(logits, -1)
        nll = tf.reduce_sum((lse - label_logits) * weights)
        return LossSum(tf.reduce_sum(loss * weights), tf.reduce_sum(weights), {"nll": tf.stop_gradient(nll)})
