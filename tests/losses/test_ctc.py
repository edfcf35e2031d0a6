import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import END
from seqcfg.losses.ctc import ctc_loss, frame_logits, needed_frames
from tests.losses import paths

A, B, C = 4, 5, 6
VOCABULARY = 7


def batch_of(rows, width=None):
    """Ids with the end id, and lengths."""
    width = width or max(len(row) for row in rows) + 1
    ids = np.zeros([len(rows), width], np.int32)
    for place, row in enumerate(rows):
        ids[place, : len(row) + 1] = [*row, END]
    return tf.constant(ids), tf.constant([len(row) + 1 for row in rows])


def figures(found):
    return float(found.total), float(found.weight), float(found.metrics["left_out"])


@pytest.fixture(scope="module")
def scores():
    return paths.frames_of(np.random.default_rng(0), (1, 4, VOCABULARY))


@pytest.mark.parametrize("labels", [(), (A,), (A, B), (A, A), (A, A, B), (C, B, A), (B, B, C, C)])
def test_the_loss_is_that_of_all_paths_that_write_the_labels(scores, labels):
    found = ctc_loss(tf.constant(scores, tf.float32), tf.constant([4]), *batch_of([labels]))
    expected = paths.labellings(scores[0]).get(labels)
    if expected is None:
        assert figures(found) == (0.0, 0.0, 1.0)
    else:
        assert figures(found) == pytest.approx((-expected, max(1, len(labels)), 0.0), rel=1e-5)


@pytest.mark.parametrize("for_xla", [False, True])
def test_values_and_gradients_are_those_of_tensorflow(for_xla):
    rng = np.random.default_rng(1)
    logits = frame_logits(tf.constant(rng.normal(size=(3, 9, VOCABULARY)), tf.float32))
    rows, frames = [(A, B, B, C), (C,), (A, A)], tf.constant([9, 5, 7])
    ids, lengths = batch_of(rows)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        ours = ctc_loss(logits, frames, ids, lengths, for_xla).total
        theirs = tf.reduce_sum(tf.nn.ctc_loss(ids, logits, lengths - 1, frames, logits_time_major=False, blank_index=0))
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
    np.testing.assert_allclose(tape.gradient(ours, logits), tape.gradient(theirs, logits), atol=1e-5)


def test_what_frames_cannot_write_is_left_out_and_counted_and_changes_no_other_gradient():
    logits = tf.constant(np.random.default_rng(2).normal(size=(4, 3, VOCABULARY)), tf.float32)
    ids, lengths = batch_of([(A, B), (A, A, B), (B, C, A, B), ()])

    def loss_and_gradient(logits, *rest):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            found = ctc_loss(frame_logits(logits), *rest)
        return found, tape.gradient(found.total, logits)

    found, gradient = loss_and_gradient(logits, tf.constant([3, 3, 3, 2]), ids, lengths)
    rows = tf.constant([0, 3])
    alone, gradient_alone = loss_and_gradient(tf.gather(logits, rows), tf.constant([3, 2]), tf.gather(ids, rows), tf.gather(lengths, rows))
    assert figures(found) == pytest.approx((*figures(alone)[:2], 2.0))
    np.testing.assert_allclose(tf.gather(gradient, rows), gradient_alone, atol=1e-6)
    assert not np.any(gradient[1:3])


def test_a_row_that_is_padding_counts_nowhere():
    logits = tf.zeros([2, 3, VOCABULARY])
    ids, lengths = batch_of([(A,), ()])
    found = ctc_loss(frame_logits(logits), tf.constant([3, 0]), ids, tf.constant([2, 0]))
    assert figures(found)[1:] == (1, 0)
    assert lengths[1] == 1


def test_a_repeated_label_needs_a_frame_more():
    ids, _ = batch_of([(A, A, A), (A, B, A), (A,)])
    np.testing.assert_array_equal(needed_frames(ids, tf.constant([3, 3, 1])), [5, 3, 1])


@pytest.mark.parametrize("for_xla", [False, True])
def test_padded_frames_and_labels_change_nothing(for_xla):
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(1, 6, VOCABULARY)).astype(np.float32)
    padded = np.concatenate([logits, 9 * rng.normal(size=(1, 5, VOCABULARY)).astype(np.float32)], axis=1)
    short = ctc_loss(frame_logits(logits), tf.constant([6]), *batch_of([(A, B, B)]), for_xla)
    long = ctc_loss(frame_logits(padded), tf.constant([6]), *batch_of([(A, B, B)], width=9), for_xla)
    assert figures(short) == pytest.approx(figures(long), rel=1e-5)
