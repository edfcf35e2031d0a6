"""Rows of decoding state: one per sentence at first, then `width` neighbours per sentence."""

from __future__ import annotations

from typing import Any

from seqcfg.layers.attention.cache import Shared
from seqcfg.layers.static_shape import with_static_shape
from seqcfg.lazy import tf


def limits_of(inputs: Any, limits: Any, max_length: Any) -> Any:
    """The longest output of each sentence, int32 [batch], in tokens without the end id: `limits` if given."""
    if limits is not None:
        return tf.convert_to_tensor(limits, tf.int32)
    return tf.fill([num_sentences(inputs)], max_length)


def extent(tensor: Any, axis: int) -> Any:
    """The size of an axis, an int where it is known while tracing."""
    return tf.shape(tensor)[axis] if tensor.shape[axis] is None else tensor.shape[axis]


def num_sentences(inputs: Any) -> Any:
    """The size of the first axis of the inputs, an int where it is known while tracing."""
    first = tf.nest.flatten(inputs)[0]
    return extent(first, 0)


def repeat_rows(state: Any, width: int) -> Any:
    """Every row of every tensor `width` times, neighbours together."""
    if width == 1:
        return state
    return each(state, lambda rows: tf.repeat(rows, width, axis=0), lambda buffer: tf.tile(buffer, [1, 1, 1, width, 1]))


def each(state: Any, of_rows: Any, of_buffer: Any) -> Any:
    """The state with `of_rows` of every tensor, but `of_buffer` of the buffers that hypotheses of a sentence share."""
    if isinstance(state, Shared):
        return Shared(of_buffer(state.buffer))
    if isinstance(state, dict):
        return {name: each(part, of_rows, of_buffer) for name, part in state.items()}
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(each(part, of_rows, of_buffer) for part in state))
    if isinstance(state, (list, tuple)):
        return type(state)(each(part, of_rows, of_buffer) for part in state)
    return of_rows(state)


def grown(state: Any, more: Any) -> Any:
    """The state with room for so many more positions in caches that can grow."""
    if hasattr(state, "grown"):
        return state.grown(more)
    if isinstance(state, dict):
        return {name: grown(part, more) for name, part in state.items()}
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(grown(part, more) for part in state))
    return type(state)(grown(part, more) for part in state) if isinstance(state, (list, tuple)) else state


def take_rows(state: Any, rows: Any) -> Any:
    """The given rows (a vector of row numbers as long as the state has rows) of every tensor, shared buffers as they are."""
    return each(state, lambda tensor: with_static_shape(tf.gather(tensor, rows), tensor.shape), lambda buffer: buffer)


def like(state: Any, pattern: Any) -> Any:
    """The state with the static shapes of the pattern, which a traced loop demands of its body; run step by step, rows may leave."""
    if tf.executing_eagerly():
        return state
    return tf.nest.map_structure(lambda tensor, old: with_static_shape(tensor, old.shape), state, pattern)


def log_total(logits: Any, best: Any, largest: Any) -> Any:
    """log(sum(exp(logits))) of each row [rows, vocabulary], given where its largest entry is and what it is.

    By one softmax, which is one kernel, because its entry there is at least 1 / vocabulary.
    """
    return largest - tf.math.log(entry(tf.nn.softmax(logits), best))


def entry(table: Any, places: Any) -> Any:
    """table[row, places[row]] for every row of [rows, size]; a flat gather, which is faster than one with batch_dims."""
    size = table.shape[-1]
    return tf.gather(tf.reshape(table, [-1]), tf.range(tf.shape(table)[0]) * size + places)


def total_of(stepper: Any, logits: Any, best: Any, largest: Any) -> Any:
    """As `log_total`; 0 where the stepper gives scores that are to be summed as they are."""
    return tf.zeros_like(largest) if getattr(stepper, "gives_scores", False) else log_total(logits, best, largest)


def write_column(table: Any, index: Any, column: Any) -> Any:
    """The table [..., time] with `column` [...] at position `index`; nothing changes where the index is past the end."""
    return tf.where(tf.range(tf.shape(table)[-1]) == index, column[..., None], table)
