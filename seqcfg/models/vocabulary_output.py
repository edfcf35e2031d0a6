"""From a stack's last vectors to one logit per id: through a dense layer of its own, or the embedding transposed."""

from __future__ import annotations

from typing import Any

from seqcfg.component.kinds import Layer
from seqcfg.lazy import tf


def declare_output(d: Any, output: Layer | None, hidden: int, width: int, embedding: Layer) -> None:
    """Declares the child "output"; without one the stack's width `hidden` must be the embedding's `width`, and its rows be ids."""
    if output is not None:
        d.child("output", output, hidden)
    elif hidden != width:
        raise d.misfit(f"the stack's width {hidden} is not that of the embedding, {width}", "give output a dense layer", "output")
    elif getattr(embedding, "row_multiple", 1) > 1:
        raise d.misfit("an embedding with rows that are no ids cannot be the output", "give output a dense layer", "output")


def table_shape(d: Any, embedding: str) -> tuple[int, int]:
    """(vocabulary, dim) of the table that logits are made with: that of "output", or of the child called `embedding`."""
    if "output" in d.children:
        return d.children["output"].features_out, d.children["output"].features_in
    vocabulary, dim = d.children[embedding].weights["table"].shape
    return vocabulary, dim


def output_kept(d: Any, embedding: str, positions: int) -> int:
    """Numbers of the gradients by hidden vectors and table, which the loss computes with its value."""
    vocabulary, dim = table_shape(d, embedding)
    return (vocabulary + positions) * dim


def output_weights(w: Any, embedding: Any) -> tuple[Any, Any]:
    """(table [vocabulary, dim], bias [vocabulary] or None) such that logits = hidden table^T + bias."""
    if not w.has("output"):
        return embedding.table, None
    return tf.transpose(w.output.kernel), w.output.bias if w.output.has("bias") else None


def prepare_output(w: Any, embedding: Any) -> None:
    """Before steps of many rows: the table transposed, from which oneDNN takes half the time (64 rows, 9,700 ids: 0.63 for 1.15 ms)."""
    if w.context.room is not None and w.context.products is None and not w.has("output"):
        w.prepare(tf.transpose(embedding.table))


def output_operands(w: Any, embedding: Any, hidden: Any) -> tuple[Any, Any, Any]:
    """(hidden, table, bias) from which a loss makes logits, as in `output_weights`; rounded where the model is."""
    table, bias = output_weights(w, embedding)
    if w.context.products is None:
        return hidden, table, bias
    layer, name = (w.output, "") if w.has("output") else (embedding, "project")
    hidden, kernel = layer.operands(hidden, tf.transpose(table), name)
    return hidden, tf.transpose(kernel), bias


def output_logits(w: Any, embedding: Any, hidden: Any, ids: Any = None) -> Any:
    """hidden [..., dim] -> logits [..., vocabulary] float32; or of these ids [size] alone [..., size]."""
    if ids is not None:
        return _logits_among(w, embedding, hidden, ids)
    if w.path in w.context.prepared:
        return tf.cast(tf.matmul(hidden, w.context.prepared[w.path]), tf.float32)
    return tf.cast(w.output(hidden) if w.has("output") else embedding.project(hidden), tf.float32)


def _logits_among(w: Any, embedding: Any, hidden: Any, ids: Any) -> Any:
    if not w.has("output"):
        return tf.cast(tf.matmul(hidden, tf.gather(embedding.table, ids), transpose_b=True), tf.float32)
    logits = tf.matmul(hidden, tf.gather(w.output.kernel, ids, axis=1))
    return tf.cast(logits + tf.gather(w.output.bias, ids) if w.output.has("bias") else logits, tf.float32)
