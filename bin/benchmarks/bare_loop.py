"""A training loop written by hand in plain TensorFlow for recipes on bases/transformer.yaml: what a framework is measured against.

As somebody writes it who knows TensorFlow and this one model: a tf.function per step, called from a Python loop over
the same batches; fused Adam; layer normalisation, attention, dropout and loss of tf.nn. It knows nothing of recipes,
learners, accumulation, averages, records or checkpoints.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf


class BareLoop:
    """`run(iterator, count)` makes updates; weights start as given, {path: tensor} under the recipe's own paths."""

    def __init__(self, recipe: Any, values: dict[str, Any], signature: dict[str, Any]):
        model, training = recipe.task.model, recipe.training
        self.values = {path: tf.Variable(value) for path, value in values.items()}
        self.means = {path: tf.Variable(tf.zeros_like(value)) for path, value in values.items()}
        self.squares = {path: tf.Variable(tf.zeros_like(value)) for path, value in values.items()}
        repeat = model.encoder.layers[2]
        self.depth, attention = repeat.times, repeat.layer.layers[0]
        self.heads, self.rate = attention.layer.num_heads, attention.dropout
        self.smoothing = recipe.task.loss.label_smoothing
        self.adam, self.schedule, self.max_norm = training.optimizer, training.schedule, training.clip.norm
        self.step = tf.Variable(0, dtype=tf.int64)
        self.update = tf.function(self._update, input_signature=[signature])

    def run(self, iterator: Any, count: int) -> dict[str, float]:
        seen = [self.update(next(iterator)) for _ in range(count)]
        return {"total": float(sum(total for total, _ in seen)), "weight": float(sum(weight for _, weight in seen))}

    def _update(self, batch: dict[str, Any]) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            total, weight = self.loss(batch, self.rate)
            loss = total / weight
        paths = list(self.values)
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, [self.values[path] for path in paths])]
        if self.max_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self.max_norm)
        t, adam = tf.cast(self.step, tf.float32) + 1.0, self.adam
        rate = self.schedule(self.step)
        for path, gradient in zip(paths, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=self.values[path].handle, m=self.means[path].handle, v=self.squares[path].handle, beta1_power=adam.beta1**t,
                beta2_power=adam.beta2**t, lr=rate, beta1=adam.beta1, beta2=adam.beta2, epsilon=adam.epsilon, grad=gradient,
            )  # fmt: skip
        self.step.assign_add(1)
        return total, weight

    def loss(self, batch: dict[str, Any], rate: float) -> tuple[Any, Any]:
        """(sum over target positions, their number)."""
        self._draw, self._rate = 0, rate
        table = self.values["model/source_embedding/table"]
        source_mask = tf.sequence_mask(batch["source_length"], tf.shape(batch["source"])[1])
        target_mask = tf.sequence_mask(batch["target_length"], tf.shape(batch["target"])[1])
        x = self._embed(table, batch["source"])
        bias = (1.0 - tf.cast(source_mask, tf.float32))[:, None, None, :] * -1e9
        for block in range(self.depth):
            name = f"model/encoder/layers/2/blocks/{block}/layers"
            normed = self._norm(x, f"{name}/0/norm")
            x += self._dropout(self._attend(normed, normed, bias, f"{name}/0/layer"))
            x += self._dropout(self._feed(self._norm(x, f"{name}/1/norm"), f"{name}/1/layer"))
        memory = self._norm(x, "model/encoder/layers/3")
        y = self._embed(table, tf.pad(batch["target"][:, :-1], [[0, 0], [1, 0]], constant_values=2))
        time = tf.shape(y)[1]
        causal = (1.0 - tf.linalg.band_part(tf.ones([time, time]), -1, 0))[None, None] * -1e9
        for block in range(self.depth):
            name = f"model/decoder/layers/2/blocks/{block}/layers"
            normed = self._norm(y, f"{name}/0/norm")
            y += self._dropout(self._attend(normed, normed, causal, f"{name}/0/layer"))
            y += self._dropout(self._attend(self._norm(y, f"{name}/1/norm"), memory, bias, f"{name}/1/layer"))
            y += self._dropout(self._feed(self._norm(y, f"{name}/2/norm"), f"{name}/2/layer"))
        logits = tf.einsum("btd,vd->btv", self._norm(y, "model/decoder/layers/3"), table)
        hard = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=batch["target"], logits=logits)
        smooth = tf.reduce_logsumexp(logits, -1) - tf.reduce_mean(logits, -1)
        weights = tf.cast(target_mask, tf.float32)
        return tf.reduce_sum(((1.0 - self.smoothing) * hard + self.smoothing * smooth) * weights), tf.reduce_sum(weights)

    def _embed(self, table: Any, ids: Any) -> Any:
        dim = table.shape[1]
        x = tf.gather(table, ids) * math.sqrt(dim)
        frequencies = tf.exp(tf.range(dim // 2, dtype=tf.float32) * -(math.log(1e4) / (dim // 2 - 1)))
        angles = tf.range(tf.shape(ids)[1], dtype=tf.float32)[:, None] * frequencies
        return self._dropout(x + tf.concat([tf.sin(angles), tf.cos(angles)], -1))

    def _norm(self, x: Any, name: str) -> Any:
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, self.values[f"{name}/bias"], self.values[f"{name}/gain"], 1e-6)

    def _dense(self, x: Any, name: str) -> Any:
        return tf.einsum("btd,de->bte", x, self.values[f"{name}/kernel"]) + self.values[f"{name}/bias"]

    def _feed(self, x: Any, name: str) -> Any:
        return self._dense(tf.nn.relu(self._dense(x, f"{name}/expand")), f"{name}/contract")

    def _attend(self, x: Any, source: Any, bias: Any, name: str) -> Any:
        queries, keys, values = (
            self._heads(self._dense(y, f"{name}/{part}")) for part, y in zip(("query", "key", "value"), (x, source, source))
        )
        scores = tf.matmul(queries, keys, transpose_b=True) / math.sqrt(queries.shape[-1]) + bias
        read = tf.transpose(tf.matmul(tf.nn.softmax(scores), values), [0, 2, 1, 3])
        return self._dense(tf.reshape(read, tf.shape(x)), f"{name}/output")

    def _heads(self, x: Any) -> Any:
        shape = tf.shape(x)
        return tf.transpose(tf.reshape(x, [shape[0], shape[1], self.heads, x.shape[-1] // self.heads]), [0, 2, 1, 3])

    def _dropout(self, x: Any) -> Any:
        if not self._rate:
            return x
        self._draw += 1
        return tf.nn.experimental.stateless_dropout(x, self._rate, seed=tf.stack([tf.cast(self.step, tf.int32), self._draw]))
