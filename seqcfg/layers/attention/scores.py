"""The arithmetic of attention on tensors cut into heads."""

from __future__ import annotations

from typing import Any

from seqcfg.layers.dropout import dropout
from seqcfg.layers.static_shape import reshaped
from seqcfg.lazy import tf


def split_heads(x: Any, num_heads: int) -> Any:
    """[batch, time, heads * head_dim] -> [batch, heads, time, head_dim]."""
    if x.shape[1] == 1:  # one position: nothing to transpose
        return reshaped(x, [x.shape[0], num_heads, 1, x.shape[-1] // num_heads], x)
    x = reshaped(x, [x.shape[0], x.shape[1], num_heads, x.shape[-1] // num_heads], x)
    return tf.transpose(x, [0, 2, 1, 3])


def merge_heads(x: Any) -> Any:
    """[batch, heads, time, head_dim] -> [batch, time, heads * head_dim]."""
    rows, heads, time, head_dim = x.shape
    if time == 1:
        return reshaped(x, [rows, 1, heads * head_dim], x)
    x = tf.transpose(x, [0, 2, 1, 3])
    return reshaped(x, [rows, time, heads * head_dim], x)


def attend(w: Any, queries: Any, keys: Any, values: Any, bias: Any, rate: float = 0.0, cap: float | None = None) -> Any:
    """Reads values by the likeness of queries, already scaled, to keys.

    queries [batch, heads, query, head_dim], keys and values [batch, kv heads, source, head_dim], bias None or
    broadcast to [batch, heads, query, source] -> [batch, heads, query, head_dim]. `rate` is that of dropout on
    the weights, `cap` limits the scores. Softmax is taken in float32 whatever the compute dtype.
    """
    heads, kv_heads = queries.shape[1], keys.shape[1]
    if heads == kv_heads:
        return tf.matmul(weights(w, tf.matmul(queries, keys, transpose_b=True), bias, rate, cap), values)
    shape, group = tf.shape(queries), heads // kv_heads
    queries = tf.reshape(queries, [shape[0], kv_heads, group * shape[2], queries.shape[3]])  # a group's queries follow each other
    scores = tf.matmul(queries, keys, transpose_b=True)
    scores = tf.reshape(scores, [shape[0], heads, shape[2], tf.shape(keys)[2]])
    probabilities = weights(w, scores, bias, rate, cap)
    context = tf.matmul(tf.reshape(probabilities, [shape[0], kv_heads, group * shape[2], tf.shape(keys)[2]]), values)
    return tf.reshape(context, [shape[0], heads, shape[2], values.shape[3]])


def weights(w: Any, scores: Any, bias: Any, rate: float, cap: float | None) -> Any:
    """Scores [batch, heads, query, source] to attention weights of the same shape and dtype."""
    dtype, scores = scores.dtype, tf.cast(scores, tf.float32)
    if cap is not None:
        scores = cap * tf.tanh(scores / cap)
    if bias is not None:
        scores = scores + tf.cast(bias, tf.float32)
    probabilities = tf.nn.softmax(scores)
    w.show_attention(probabilities)
    return dropout(w, tf.cast(probabilities, dtype), rate)
