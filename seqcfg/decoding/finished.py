"""Complete outputs of a beam: the best so far, each once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from seqcfg.decoding.best_tokens import largest
from seqcfg.decoding.merging import Merge, merged
from seqcfg.lazy import tf

IMPOSSIBLE = float("-inf")


class Finished(NamedTuple):
    """Complete outputs, best first: scores, log-probabilities, lengths, texts [batch, kept], sequences [batch, kept, time].

    `best` [batch] is the largest log-probability of any complete output so far, kept or not, and `count` [batch] their number.
    `texts` are hashes of what is written, 0 where nobody merges paths.
    """

    scores: Any
    log_probabilities: Any
    lengths: Any
    texts: Any
    sequences: Any
    best: Any
    count: Any


def nothing(batch: Any, kept: int, size: Any) -> Finished:
    """No output yet, and room for `kept` ones of at most `size` tokens."""
    none, ints = tf.fill([batch, kept], IMPOSSIBLE), tf.zeros([batch, kept], tf.int32)
    texts, sequences = tf.zeros([batch, kept], tf.int64), tf.zeros([batch, kept, size], tf.int32)
    return Finished(none, none, ints, texts, sequences, tf.fill([batch], IMPOSSIBLE), tf.zeros([batch], tf.int32))


def with_new(old: Finished, new: Finished, merge: Merge, penalty: Callable[[Any], Any]) -> Finished:
    """The best of both, as many as there were; new has the same fields for other outputs, and neither best nor count.

    Of outputs that are one text the best remains, with the probability of all where they are summed; `penalty(lengths)` is
    what log-probabilities are divided by.
    """
    both = [tf.concat(pair, axis=1) for pair in zip(old[:5], new[:5], strict=True)]
    scores, totals, lengths, texts = both[:4]
    if merge == "best":
        scores = merged(scores, texts, merge)
    elif merge == "sum":
        whole = merged(totals, texts, merge)
        is_left = whole > IMPOSSIBLE
        gain = tf.where(is_left, whole - tf.where(is_left, totals, 0.0), 0.0)
        scores, totals = tf.where(is_left, scores + gain / penalty(lengths), IMPOSSIBLE), whole
    scores, places = largest(scores, old.scores.shape[1])
    totals, lengths, texts, sequences = (tf.gather(part, places, batch_dims=1) for part in (totals, lengths, texts, both[4]))
    best = tf.maximum(old.best, tf.reduce_max(new.log_probabilities, axis=1))
    count = old.count + tf.math.count_nonzero(new.log_probabilities > IMPOSSIBLE, axis=1, dtype=tf.int32)
    return Finished(scores, totals, lengths, texts, sequences, best, count)
