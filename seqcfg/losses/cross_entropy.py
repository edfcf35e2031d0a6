"""Cross-entropy of a softmax over a vocabulary, with label smoothing and without one-hot labels."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Loss
from seqcfg.component.types import PositiveInt, Probability
from seqcfg.lazy import tf
from seqcfg.losses.loss_sum import LossSum


class CrossEntropy(Loss, type="cross_entropy"):
    """-sum_k q_k log p_k, with q = 1 on the label, or smoothed over the vocabulary (arXiv:1512.00567, section 7).

    With logits z, lse = log sum exp z, label y and vocabulary V the loss is lse - a z_y - b sum_k z_k, where
    spread "all":    b = u / V,       a = 1 - u        (the label takes part in the smoothing)
    spread "others": b = u / (V - 1), a = 1 - u - b    (the label keeps exactly 1 - u)
    so neither one-hot labels nor the log-probabilities are ever stored.
    """

    label_smoothing: Probability = param(default=0.0, doc="Probability mass u that is taken from the label and spread over the vocabulary.")
    smoothing_spread: Literal["all", "others"] = param(default="all", doc="Whether the label has a share in the mass that is spread.")
    chunk_positions: PositiveInt = param(
        default=1024, doc="Positions whose logits exist at the same time; bounds memory.", affects="nothing"
    )

    def coefficients(self, vocabulary: Any) -> tuple[Any, Any]:
        """(a, b) of the class docstring; vocabulary is an int or an int tensor."""
        u = self.label_smoothing
        count = tf.cast(vocabulary, tf.float32)
        if self.smoothing_spread == "all":
            return tf.constant(1.0 - u), u / count
        b = u / (count - 1.0)
        return 1.0 - u - b, b

    def from_logits(self, logits: Any, labels: Any, weights: Any) -> LossSum:
        """logits [positions, vocabulary], labels [positions] int, weights [positions] float (0 at padding)."""
        logits = tf.cast(logits, tf.float32)
        hard = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        a, b = self.coefficients(tf.shape(logits)[-1])
        label_logits = tf.gather(logits, labels, batch_dims=1)
        loss = hard + (1.0 - a) * label_logits - b * tf.reduce_sum(logits, -1)
        total = tf.reduce_sum(loss * weights)
        return LossSum(total, tf.reduce_sum(weights), {"nll": tf.reduce_sum(hard * weights)})

    def from_hidden(self, hidden: Any, table: Any, bias: Any, labels: Any, weights: Any) -> LossSum:
        """The same for logits = hidden table^T + bias, without keeping them.

        hidden [positions, dim], table [vocabulary, dim], bias [vocabulary] or None, labels [positions] int32,
        weights [positions] float32. The gradient is computed together with the loss, chunk by chunk, so the logits
        are formed once and at most `chunk_positions` rows of them are alive.
        """
        bias = tf.zeros([tf.shape(table)[0]], table.dtype) if bias is None else bias
        a, b = self.coefficients(tf.shape(table)[0])

        @tf.custom_gradient
        def loss(hidden: Any, table: Any, bias: Any) -> Any:
            sums = _chunked(hidden, table, bias, labels, weights, a, b, self.chunk_positions)
            total, nll, d_hidden, d_table, d_bias = sums

            def gradient(d_total: Any, _: Any) -> Any:
                return [tf.cast(tf.cast(d, tf.float32) * d_total, x.dtype) for d, x in ((d_hidden, hidden), (d_table, table), (d_bias, bias))]

            return (total, nll), gradient

        total, nll = loss(hidden, table, bias)
        return LossSum(total, tf.reduce_sum(weights), {"nll": tf.stop_gradient(nll)})


def _chunked(hidden: Any, table: Any, bias: Any, labels: Any, weights: Any, a: Any, b: Any, chunk: int) -> tuple[Any, ...]:
    """(total, nll, d total/d hidden, d total/d table, d total/d bias), over chunks of positions.

    The gradient by the logits is p - a onehot - b. Only p is ever formed: the other terms are linear, so they are
    added to the products instead (sum_k z_k = hidden . sum_k table_k + sum_k bias_k).
    """
    count = tf.shape(hidden)[0]
    table_sum = tf.reduce_sum(tf.cast(table, tf.float32), 0)
    bias_sum = tf.reduce_sum(tf.cast(bias, tf.float32))
    chunks = (count + chunk - 1) // chunk
    d_hidden_parts = tf.TensorArray(hidden.dtype, size=chunks, infer_shape=False, element_shape=[None, hidden.shape[-1]])

    def body(index: Any, total: Any, nll: Any, parts: Any, d_table: Any, d_bias: Any) -> tuple[Any, ...]:
        rows = slice(index * chunk, tf.minimum(count, (index + 1) * chunk))
        h, y, weight = hidden[rows], labels[rows], weights[rows]
        logits = tf.cast(tf.matmul(h, table, transpose_b=True) + bias, tf.float32)
        p = tf.nn.softmax(logits)
        # log sum exp from the largest pair: exact, and 6 times cheaper than the fused cross-entropy kernel on CPU
        lse = tf.reduce_max(logits, -1) - tf.math.log(tf.reduce_max(p, -1))
        h32, label32 = tf.cast(h, tf.float32), tf.cast(tf.gather(table, y), tf.float32)
        label_logit = tf.reduce_sum(h32 * label32, -1) + tf.gather(tf.cast(bias, tf.float32), y)
        logit_sum = tf.linalg.matvec(h32, table_sum) + bias_sum
        loss = lse - a * label_logit - b * logit_sum
        p = tf.cast(p, hidden.dtype)
        scale = tf.cast(weight, hidden.dtype)[:, None]
        d_h = scale * (tf.matmul(p, table) - tf.cast(a * label32 + b * table_sum, hidden.dtype))
        weighted = scale * h
        weighted32 = tf.cast(weighted, tf.float32)
        d_table += tf.cast(tf.matmul(p, weighted, transpose_a=True), tf.float32) - b * tf.reduce_sum(weighted32, 0)
        d_table = tf.tensor_scatter_nd_sub(d_table, y[:, None], a * weighted32)
        d_bias += tf.cast(tf.linalg.matvec(p, scale[:, 0], transpose_a=True), tf.float32) - b * tf.reduce_sum(weight)
        d_bias = tf.tensor_scatter_nd_sub(d_bias, y[:, None], a * weight)
        return index + 1, total + tf.reduce_sum(loss * weight), nll + tf.reduce_sum((lse - label_logit) * weight), parts.write(index, d_h), d_table, d_bias

    start = (0, tf.constant(0.0), tf.constant(0.0), d_hidden_parts, tf.zeros(tf.shape(table)), tf.zeros(tf.shape(bias)))
    _, total, nll, parts, d_table, d_bias = tf.while_loop(lambda index, *_: index < chunks, body, start, parallel_iterations=1)
    d_hidden = tf.ensure_shape(parts.concat(), hidden.shape)
    return total, nll, d_hidden, d_table, d_bias
