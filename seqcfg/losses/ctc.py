"""Connectionist temporal classification: the probability of a labelling, summed over all its alignments to frames."""

from __future__ import annotations

from typing import Any

from seqcfg.component.reserved_ids import END, PAD, START, UNKNOWN
from seqcfg.lazy import tf
from seqcfg.losses.loss_sum import LossSum

BLANK = PAD  # the class of frames that write nothing
BARRED = -1e9  # logit of classes that no frame can be


def frame_logits(logits: Any) -> Any:
    """Logits [..., vocabulary] in float32, the start and end ids barred: of these no frame is made."""
    ids = tf.range(tf.shape(logits)[-1])
    return tf.where((ids == START) | (ids == END), BARRED, tf.cast(logits, tf.float32))


def ctc_loss(logits: Any, num_frames: Any, ids: Any, lengths: Any, for_xla: bool = False) -> LossSum:
    """-log p(labels | frames) (Graves et al. 2006, equation 3), summed; the weight is the number of labels, at least 1 per example.

    logits [batch, frames, vocabulary] from `frame_logits`, whose class 0 is the blank; num_frames [batch]; ids [batch, time]
    with the end id inside lengths [batch], which is no label. An example with more labels than its frames can write (a
    blank must stand between equal neighbours) has the probability 0: it weighs nothing, and the metric `left_out` counts it.
    Rows of length 0 are padding. A plain graph runs the native kernel over sparse labels, which XLA does not know.
    """
    num_labels = tf.maximum(lengths - 1, 0)
    is_label = tf.sequence_mask(num_labels, tf.shape(ids)[1])
    is_example = lengths > 0
    is_possible = needed_frames(ids, num_labels) <= num_frames
    is_short = (num_labels == 0) | ~is_possible  # of these the kernel gets a stand-in, as it refuses them
    is_label = tf.where(is_short[:, None], tf.range(tf.shape(ids)[1]) == 0, is_label)
    labels = tf.where(is_short[:, None], UNKNOWN, ids)
    frames = tf.maximum(num_frames, 1)
    found = (_dense if for_xla else _sparse)(logits, frames, labels, is_label)
    found = tf.where(num_labels == 0, _nothing(logits, num_frames), found)
    is_used = is_example & is_possible
    total = tf.reduce_sum(tf.where(is_used, found, 0.0))
    weight = tf.reduce_sum(tf.where(is_used, tf.cast(tf.maximum(num_labels, 1), tf.float32), 0.0))
    left_out = tf.reduce_sum(tf.cast(is_example & ~is_possible, tf.float32))
    return LossSum(total, weight, {"nll": tf.stop_gradient(total), "left_out": left_out})


def needed_frames(ids: Any, num_labels: Any) -> Any:
    """The fewest frames [batch] that can write the first num_labels [batch] of ids [batch, time]."""
    repeated = (ids[:, 1:] == ids[:, :-1]) & tf.sequence_mask(num_labels - 1, tf.shape(ids)[1] - 1)
    return num_labels + tf.math.count_nonzero(repeated, axis=1, dtype=tf.int32)


def _sparse(logits: Any, num_frames: Any, labels: Any, is_label: Any) -> Any:
    places = tf.where(is_label)
    shape = tf.cast(tf.shape(labels), tf.int64)
    sparse = tf.SparseTensor(places, tf.gather_nd(labels, places), shape)
    return tf.nn.ctc_loss(sparse, logits, None, num_frames, logits_time_major=False, blank_index=BLANK)


def _dense(logits: Any, num_frames: Any, labels: Any, is_label: Any) -> Any:
    lengths = tf.math.count_nonzero(is_label, axis=1, dtype=tf.int32)
    labels = tf.where(is_label, labels, 0)
    return tf.nn.ctc_loss(labels, logits, lengths, num_frames, logits_time_major=False, blank_index=BLANK)


def _nothing(logits: Any, num_frames: Any) -> Any:
    """-log p of the labelling without labels: every frame is blank."""
    blank = tf.nn.log_softmax(logits)[:, :, BLANK]
    return -tf.reduce_sum(tf.where(tf.sequence_mask(num_frames, tf.shape(logits)[1]), blank, 0.0), axis=1)
