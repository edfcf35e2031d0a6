"""The lattice of a transducer: how probable its alignments are in all, and how often each arc is taken (arXiv:1211.3711, section 2.4)."""

from __future__ import annotations

from typing import Any, NamedTuple

from seqcfg.lazy import tf

NEVER = -1e30  # log-probability of what cannot be; finite, so that differences of two of them are no NaN


class Posteriors(NamedTuple):
    """log_probability [batch] of the labels; how probable it is that an alignment leaves a node by each arc [batch, time, labels + 1]."""

    log_probability: Any
    blank: Any
    label: Any


def posteriors(blank: Any, label: Any, frames: Any, labels: Any, one_per_frame: bool = False) -> Posteriors:
    """Forward-backward over nodes (t, u): t frames are behind, u labels are written.

    blank, label [batch, time, labels + 1] float32: log-probability of going on to the next frame, and of writing label u;
    label[..., labels] is not read. frames, labels [batch] int32: real sizes. A label leads to (t, u + 1), with one_per_frame to
    (t + 1, u + 1). What has no alignment gets a log-probability of NEVER or below, and posteriors of 0.

    Both directions are one recursion X[n, u] = log(exp(X[n - 1, u] + stay) + exp(X[n - 1, u - 1] + move)): the backward one is the
    forward one of the lattice read from its end. n counts frames, or anti-diagonals t + u where a label takes no frame, so
    that a step treats all nodes that do not depend on one another.
    """
    columns = tf.range(tf.shape(blank)[2])
    rows = tf.range(tf.shape(blank)[1])
    is_row = (rows < frames[:, None])[..., None]  # [batch, time, 1]
    blank = tf.where(is_row & (columns <= labels[:, None])[:, None], blank, NEVER)
    label = tf.where(is_row & (columns < labels[:, None])[:, None], label, NEVER)
    turned = [_turn(arcs, frames, labels) for arcs in (blank, label)]
    find = _by_frame if one_per_frame else _by_diagonal
    ahead, behind = find(blank, label, turned[0], turned[1])  # [batch, time + 1, labels + 1] both, the second from the end
    behind = _turn(behind, frames + 1 if one_per_frame else frames, labels)
    total = behind[:, 0, 0]
    is_found = (total > NEVER / 2)[:, None, None]

    def taken(arcs: Any, after: Any) -> Any:
        return tf.where(is_found, tf.exp(tf.minimum(ahead[:, :-1] + arcs + after - total[:, None, None], 0.0)), 0.0)

    written = _shift(behind, -1, axis=2)
    if one_per_frame:
        return Posteriors(total, taken(blank, behind[:, 1:]), taken(label, written[:, 1:]))
    is_last = (rows == frames[:, None] - 1)[..., None] & (columns == labels[:, None])[:, None]
    return Posteriors(total, taken(blank, tf.where(is_last, 0.0, behind[:, 1:])), taken(label, written[:, :-1]))


def _by_frame(blank: Any, label: Any, turned_blank: Any, turned_label: Any) -> tuple[Any, Any]:
    """Values of all nodes [batch, time + 1, labels + 1] where each arc takes a frame; X[0] is 0 at the first node."""
    stay = tf.concat([blank, turned_blank], 0)
    move = tf.concat([_shift(label, 1, axis=2), turned_label], 0)
    first = tf.where(tf.range(tf.shape(stay)[2]) == 0, 0.0, tf.fill(tf.shape(stay[:, 0]), NEVER))
    steps = tf.transpose(tf.stack([stay, move]), [2, 0, 1, 3])  # [time, 2, 2 batch, labels + 1]
    return tuple(tf.split(tf.transpose(_scan(first, steps), [1, 0, 2]), 2))


def _by_diagonal(blank: Any, label: Any, turned_blank: Any, turned_label: Any) -> tuple[Any, Any]:
    """Values of all nodes where labels take no frame, with a row of NEVER behind the last frame."""
    size = tf.shape(blank)
    forward = tf.stack([_shift(blank, 1, axis=1), _shift(label, 1, axis=2)])
    backward = tf.stack([turned_blank, turned_label])
    steps = _skewed(tf.reshape(tf.concat([forward, backward], 1), [4 * size[0], size[1], size[2]]))
    steps = tf.reshape(steps, [tf.shape(steps)[0], 2, 2 * size[0], size[2]])  # [diagonals, 2, 2 batch, labels + 1]
    start = tf.concat([tf.zeros([size[0]]), turned_blank[:, 0, 0]], 0)[:, None]
    first = tf.where(tf.range(size[2]) == 0, start, NEVER)
    values = _straight(_scan(first, steps[1:]), size[1])
    return tuple(tf.split(tf.pad(values, [[0, 0], [0, 1], [0, 0]], constant_values=NEVER), 2))


def _scan(first: Any, steps: Any) -> Any:
    """X[0 ... n] for X[0] [rows, columns] and steps [n, 2, rows, columns], log-probabilities of staying in a column and of moving on."""
    count = tf.shape(steps)[0]
    array = tf.TensorArray(tf.float32, count + 1, element_shape=first.shape, clear_after_read=False).write(0, first)

    def body(index: Any, array: Any, values: Any) -> tuple[Any, Any, Any]:
        step = steps[index]
        stay, move = values + step[0], tf.pad(values[:, :-1], [[0, 0], [1, 0]], constant_values=NEVER) + step[1]
        values = tf.ensure_shape(tf.maximum(stay, move) + tf.nn.softplus(-tf.abs(stay - move)), first.shape)
        return index + 1, array.write(index + 1, values), values

    start = (tf.constant(0), array, first)
    _, array, _ = tf.while_loop(lambda index, *_: index < count, body, start, parallel_iterations=1, maximum_iterations=steps.shape[0])
    return array.stack()


def _skewed(nodes: Any) -> Any:
    """Diagonals [time + columns - 1, rows, columns] of nodes [rows, time, columns]; NEVER outside of them."""
    size = tf.shape(nodes)
    wide = tf.pad(tf.transpose(nodes, [0, 2, 1]), [[0, 0], [0, 0], [0, size[2]]], constant_values=NEVER)
    flat = tf.reshape(wide, [size[0], -1])[:, : -size[2]]  # each column begins one place later than the one before
    return tf.transpose(tf.reshape(flat, [size[0], size[2], size[1] + size[2] - 1]), [2, 0, 1])


def _straight(diagonals: Any, time: Any) -> Any:
    """The inverse of `_skewed`: [rows, time, columns]."""
    size = tf.shape(diagonals)
    flat = tf.reshape(tf.transpose(diagonals, [1, 2, 0]), [size[1], -1])
    wide = tf.reshape(tf.pad(flat, [[0, 0], [0, size[2]]], constant_values=NEVER), [size[1], size[2], -1])
    return tf.transpose(wide[:, :, :time], [0, 2, 1])


def _turn(nodes: Any, frames: Any, labels: Any) -> Any:
    """[batch, time, labels + 1] read from the last real node to the first."""
    turned = tf.reverse_sequence(nodes, tf.minimum(frames, tf.shape(nodes)[1]), seq_axis=1, batch_axis=0)
    return tf.reverse_sequence(turned, labels + 1, seq_axis=2, batch_axis=0)


def _shift(nodes: Any, places: int, axis: int) -> Any:
    """[batch, time, labels + 1] moved along an axis by 1 or -1, with NEVER where nothing comes from."""
    paddings = [[0, 0], [0, 0], [0, 0]]
    paddings[axis] = [1, 0] if places > 0 else [0, 1]
    padded = tf.pad(nodes, paddings, constant_values=NEVER)
    keep = [slice(None)] * 3
    keep[axis] = slice(None, -1) if places > 0 else slice(1, None)
    return padded[tuple(keep)]
