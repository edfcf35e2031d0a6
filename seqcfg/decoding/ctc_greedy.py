"""Best-path search: the most probable id of each frame, repeated ones as one, blanks left out."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from seqcfg.component.component import param
from seqcfg.component.reserved_ids import END, PAD, START, UNKNOWN
from seqcfg.decoding.loop import Looped, State
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.lazy import tf


class Path(NamedTuple):
    """Tokens [batch, time] of the best path, their number and its log-probability [batch], and whether it is known yet."""

    sequences: Any
    lengths: Any
    log_probabilities: Any
    is_over: Any


class CTCGreedy(Looped, type="ctc_greedy"):
    """The labelling of the most probable path of frames (Graves et al. 2006, section 3.2), which is not always the most probable one.

    Scores are log-probabilities of the path. Tokens behind the length limit are left out.
    """

    needs: ClassVar[str] = "frames"

    allow_unknown: bool = param(default=False, doc="Whether the unknown id may be produced.")

    num_outputs = rows = 1

    def first(self, batch: Any, size: Any) -> Path:
        nothing = tf.zeros([batch], tf.int32)
        return Path(tf.zeros([batch, size], tf.int32), nothing, tf.zeros([batch]), nothing > 0)

    def is_over(self, own: Path) -> Any:
        return own.is_over

    def found(self, own: Path) -> Hypotheses:
        score = own.log_probabilities[:, None]
        return Hypotheses(own.sequences[:, None], own.lengths[:, None], score, score, own.is_over)

    def allowed(self, scores: Any) -> Any:
        """Scores [..., vocabulary] with -infinity for ids that are never written."""
        ids = tf.range(tf.shape(scores)[-1])
        is_barred = (ids == START) | (ids == END) | ((ids == UNKNOWN) & (not self.allow_unknown))
        return tf.where(is_barred, float("-inf"), scores)

    def advance(self, scorer: Any, state: State) -> State:
        """All frames at once: there is one step."""
        scores, num_frames = state.fixed["frames"], state.fixed["num_frames"]
        allowed = self.allowed(scores)
        is_real = tf.sequence_mask(num_frames, tf.shape(scores)[1])
        path = tf.where(is_real, tf.argmax(allowed, axis=-1, output_type=tf.int32), PAD)
        total = tf.reduce_sum(tf.where(is_real, tf.reduce_max(allowed, axis=-1), 0.0), axis=1)
        is_new = (path != PAD) & (path != tf.pad(path[:, :-1], [[0, 0], [1, 0]]))
        count = tf.math.count_nonzero(is_new, axis=1, dtype=tf.int32)
        lengths = tf.minimum(count, state.limits)
        sequences = first_of(path, is_new, tf.minimum(lengths, state.size), state.size)
        return state._replace(own=Path(sequences, tf.minimum(lengths, state.size), total, lengths <= state.size))


def first_of(values: Any, is_taken: Any, lengths: Any, size: Any) -> Any:
    """The first `lengths` [batch] of the taken values [batch, time] in order, padded with 0 to [batch, size]."""
    order = tf.argsort(tf.cast(~is_taken, tf.int32), axis=1, stable=True)
    taken = tf.gather(values, order, batch_dims=1)
    padded = tf.pad(taken, [[0, 0], [0, size]])[:, :size]
    return tf.where(tf.sequence_mask(lengths, size), padded, 0)
