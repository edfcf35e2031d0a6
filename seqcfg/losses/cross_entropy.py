"""Cross-entropy of a softmax over a vocabulary, with label smoothing: without one-hot labels, or in a form that a mesh can divide."""

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
        default=256, doc="Positions whose logits exist at the same time; bounds memory, and decides the order of sums.", is_later=True
    )

    def at_work(self, positions: int, vocabulary: int, dim: int) -> float:
        """Of one chunk logits and probabilities, each before and after a step; the table's gradient before and after a chunk."""
        return 4 * min(positions, self.chunk_positions) * vocabulary + 2 * vocabulary * dim

    def on_mesh(self) -> Loss:
        return WholeLogits(**{name: getattr(self, name) for name in self._params})

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
        inputs = [hidden, table] if bias is None else [hidden, table, bias]

        @tf.custom_gradient
        def loss(*inputs: Any) -> Any:
            total, nll, gradients = self._value_and_gradients(inputs, labels, weights)

            def gradient(d_total: Any, _: Any) -> Any:
                return [tf.cast(tf.cast(d, tf.float32) * d_total, x.dtype) for d, x in zip(gradients, inputs, strict=True)]

            return (total, nll), gradient

        total, nll = loss(*inputs)
        return LossSum(total, tf.reduce_sum(weights), {"nll": tf.stop_gradient(nll)})

    def _value_and_gradients(self, inputs: Any, labels: Any, weights: Any) -> tuple[Any, Any, list[Any]]:
        """(total, nll, [d total / d input]).

        The gradient by the logits is p - a onehot - b. Only p is ever formed, chunk by chunk: the other terms are
        linear, so they are added to the products (sum_k z_k = hidden . sum_k table_k + sum_k bias_k).
        """
        hidden, table = inputs[:2]
        bias = inputs[2] if len(inputs) > 2 else None
        a, b = self.coefficients(tf.shape(table)[0])
        hidden32, label_rows = tf.cast(hidden, tf.float32), tf.cast(tf.gather(table, labels), tf.float32)
        table_sum = tf.reduce_sum(tf.cast(table, tf.float32), 0)
        label_logits = tf.reduce_sum(hidden32 * label_rows, -1)
        logit_sums = tf.linalg.matvec(hidden32, table_sum)
        if bias is not None:
            label_logits += tf.cast(tf.gather(bias, labels), tf.float32)
            logit_sums += tf.reduce_sum(tf.cast(bias, tf.float32))
        lse, d_hidden, d_table, d_bias = _softmax_part(hidden, table, bias, weights, self.chunk_positions)
        total = tf.reduce_sum((lse - a * label_logits - b * logit_sums) * weights)
        nll = tf.reduce_sum((lse - label_logits) * weights)
        weighted = hidden32 * weights[:, None]
        d_hidden = tf.cast(d_hidden, tf.float32) - weights[:, None] * (a * label_rows + b * table_sum)
        d_table = tf.tensor_scatter_nd_sub(d_table - b * tf.reduce_sum(weighted, 0), labels[:, None], a * weighted)
        if bias is None:
            return total, nll, [d_hidden, d_table]
        d_bias = tf.tensor_scatter_nd_sub(d_bias - b * tf.reduce_sum(weights), labels[:, None], a * weights)
        return total, nll, [d_hidden, d_table, d_bias]


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


def _softmax_part(hidden: Any, table: Any, bias: Any, weights: Any, chunk: int) -> tuple[Any, Any, Any, Any]:
    """(lse [positions], w p table, p^T (w hidden), p^T w) with p = softmax(hidden table^T + bias), over chunks of positions."""
    count = tf.shape(hidden)[0]
    num_chunks = (count + chunk - 1) // chunk
    parts = (
        tf.TensorArray(tf.float32, size=num_chunks, infer_shape=False, element_shape=[None]),
        tf.TensorArray(hidden.dtype, size=num_chunks, infer_shape=False, element_shape=[None, hidden.shape[-1]]),
    )

    def body(index: Any, parts: Any, d_table: Any, d_bias: Any) -> tuple[Any, ...]:
        rows = slice(index * chunk, tf.minimum(count, (index + 1) * chunk))
        h, scale = hidden[rows], tf.cast(weights[rows], hidden.dtype)[:, None]
        logits = tf.matmul(h, table, transpose_b=True)
        logits = tf.cast(logits if bias is None else logits + bias, tf.float32)
        p = tf.nn.softmax(logits)
        # log sum exp from the largest pair: exact, and 6 times cheaper than the fused cross-entropy kernel on CPU
        lse = tf.reduce_max(logits, -1) - tf.math.log(tf.reduce_max(p, -1))
        p = tf.cast(p, hidden.dtype)
        d_table += tf.cast(tf.matmul(p, scale * h, transpose_a=True), tf.float32)
        if bias is not None:
            d_bias += tf.cast(tf.matmul(p, scale, transpose_a=True)[:, 0], tf.float32)
        return index + 1, (parts[0].write(index, lse), parts[1].write(index, scale * tf.matmul(p, table))), d_table, d_bias

    start = (0, parts, tf.zeros(tf.shape(table)), tf.zeros([tf.shape(table)[0] if bias is not None else 0]))
    _, parts, d_table, d_bias = tf.while_loop(lambda index, *_: index < num_chunks, body, start, parallel_iterations=1)
    return parts[0].concat(), tf.ensure_shape(parts[1].concat(), hidden.shape), d_table, d_bias
