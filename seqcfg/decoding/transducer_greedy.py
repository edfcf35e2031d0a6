"""Greedy search through a transducer's lattice: the most probable arc of each node."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from seqcfg.component.component import param
from seqcfg.component.reserved_ids import END, PAD, START, UNKNOWN
from seqcfg.component.types import PositiveInt
from seqcfg.decoding.growing_texts import shifted
from seqcfg.decoding.lattice import choose
from seqcfg.decoding.loop import Looped, State
from seqcfg.decoding.rows import extent
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.lazy import tf


class Walk(NamedTuple):
    """Where each sentence [batch] stands: at which frame, how many tokens that frame wrote, and what is written [batch, time]."""

    frame: Any
    here: Any
    sequences: Any
    lengths: Any
    log_probabilities: Any
    is_over: Any


class TransducerGreedy(Looped, type="transducer_greedy"):
    """Follows the most probable arc from node to node until all frames are read. The score is the log-probability of the path.

    The nodes of `frames_at_once` frames are computed together, and all blanks before the first token taken in one step, so there
    are about as many steps as tokens; the result is that of going frame by frame.
    """

    needs: ClassVar[str] = "lattice"
    streams: ClassVar[bool] = True

    tokens_per_frame: PositiveInt = param(default=10, doc="The most tokens that one frame may write.")
    frames_at_once: PositiveInt = param(default=8, doc="Frames that a step looks at; changes speed only.", affects="nothing")
    allow_unknown: bool = param(default=False, doc="Whether the unknown id may be produced.")

    num_outputs = rows = 1

    def first(self, batch: Any, size: Any) -> Walk:
        nothing = tf.zeros([batch], tf.int32)
        return Walk(nothing, nothing, tf.zeros([batch, size], tf.int32), nothing, tf.zeros([batch]), nothing > 0)

    def last(self, state: State) -> Any:
        return state.size + 1 + extent(state.fixed["frames"], 1)

    def is_over(self, own: Walk) -> Any:
        return own.is_over

    def found(self, own: Walk) -> Hypotheses:
        score = own.log_probabilities[:, None]
        return Hypotheses(own.sequences[:, None], own.lengths[:, None], score, score, own.is_over)

    def waits(self, own: Walk, num_frames: Any) -> Any:
        return own.frame >= num_frames

    def behind(self, own: Walk) -> Any:
        return own.frame

    def leading(self, own: Walk, is_last: Any) -> tuple[Any, Any]:
        return own.sequences[0], own.lengths[0]

    def resumed(self, own: Walk, num_read: Any, num_told: Any) -> Walk:
        return own._replace(
            frame=own.frame - num_read,
            sequences=shifted(own.sequences, num_told),
            lengths=own.lengths - num_told,
            is_over=tf.zeros_like(own.is_over),
        )

    def advance(self, lattice: Any, state: State) -> State:
        own: Walk = state.own
        ahead, num_frames = tf.range(self.frames_at_once), state.fixed["num_frames"]
        most = tf.minimum(state.limits, state.size)
        places = own.frame[:, None] + ahead
        must_go_on = (own.lengths >= most)[:, None] | ((own.here >= self.tokens_per_frame)[:, None] & (ahead == 0))
        best, gained = self._best(lattice.arcs(state.fixed, state.moving, places), must_go_on)  # [batch, ahead]
        is_left = places < num_frames[:, None]
        is_token = is_left & (best != PAD)
        writes = tf.reduce_any(is_token, axis=1)
        first = tf.argmax(tf.cast(is_token, tf.int32), axis=1, output_type=tf.int32)  # ONNX has none of truth values
        num_blanks = tf.where(writes, first, tf.math.count_nonzero(is_left, axis=1, dtype=tf.int32))
        one = tf.cast(writes, tf.int32)
        tokens = tf.where(writes, tf.gather(best, first, batch_dims=1), PAD)
        frame = own.frame + num_blanks + (one if lattice.is_one_per_frame else 0)
        lengths = own.lengths + one
        is_cut = (lengths >= state.size) & (state.size < state.limits)  # must be searched again in longer buffers
        new = Walk(
            frame=frame,
            here=one + tf.where(frame == own.frame, own.here, 0) * one,
            sequences=write_rows(own.sequences, own.lengths, tokens),
            lengths=lengths,
            log_probabilities=own.log_probabilities + tf.reduce_sum(tf.where(ahead < (num_blanks + one)[:, None], gained, 0.0), axis=1),
            is_over=(frame >= num_frames) & ~is_cut,
        )
        if lattice.is_one_per_frame:
            new = new._replace(here=tf.zeros_like(own.here))
        moving = choose(writes, lattice.written(state.fixed, state.moving, tokens), state.moving)
        return state._replace(own=new, moving=moving)

    def _best(self, scores: Any, must_go_on: Any) -> tuple[Any, Any]:
        """The best arc allowed of each node and its log-probability [batch, ahead]."""
        ids = tf.range(tf.shape(scores)[-1])
        is_barred = (ids == START) | (ids == END) | ((ids == UNKNOWN) & (not self.allow_unknown))
        allowed = tf.where(is_barred | (must_go_on[..., None] & (ids != PAD)), float("-inf"), scores)
        return tf.argmax(allowed, axis=-1, output_type=tf.int32), tf.reduce_max(allowed, axis=-1)


def write_rows(table: Any, places: Any, values: Any) -> Any:
    """The table [rows, time] with values [rows] at each row's place; those past the end are left out, as are values of 0."""
    here = (tf.range(tf.shape(table)[1]) == places[:, None]) & (values > 0)[:, None]
    return tf.where(here, values[:, None], table)
