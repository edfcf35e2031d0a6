"""Beam search through a transducer's lattice: the best few texts, all of them after the same number of arcs."""

from __future__ import annotations

import os.path
from typing import Any, ClassVar, NamedTuple

from seqcfg.component.component import param
from seqcfg.component.reserved_ids import END, PAD, START, UNKNOWN
from seqcfg.component.types import PositiveInt
from seqcfg.decoding.best_tokens import best_tokens, largest
from seqcfg.decoding.growing_texts import either, parents, shifted
from seqcfg.decoding.lattice import choose
from seqcfg.decoding.loop import State
from seqcfg.decoding.rows import extent, take_rows
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.decoding.text_beam import TextBeam
from seqcfg.decoding.transducer_greedy import TransducerGreedy
from seqcfg.lazy import tf

IMPOSSIBLE = float("-inf")


class Texts(NamedTuple):
    """Texts alive [batch, width], each at one node: frames behind, tokens [batch, width, time], score (-inf where none is alive).

    Complete ones [batch, n_best], best first, in `best_...`; is_cut [batch]: whether a text was kept short by the buffers alone.
    """

    frame: Any
    sequences: Any
    lengths: Any
    scores: Any
    best_sequences: Any
    best_lengths: Any
    best_scores: Any
    is_cut: Any


class TransducerBeam(TextBeam, type="transducer_beam"):
    """Alignment-length synchronous search (Saon et al. 2020, "Alignment-length synchronous decoding for RNN transducer").

    Every step follows one more arc of every text alive, a blank or a token; of paths that meet in one node the probabilities
    are added, so that with a wide beam a score is the text's probability over all alignments. A sentence is over when no text
    alive, nor all of them together, could beat its n best complete ones. A language model adds to tokens, and to the end of the text.
    """

    needs: ClassVar[str] = "lattice"

    width: PositiveInt = param(default=5, doc="Texts kept alive per sentence.")

    def quick(self) -> Any:
        return TransducerGreedy(allow_unknown=self.allow_unknown)

    def first(self, batch: Any, size: Any) -> Texts:
        none = tf.zeros([batch, self.width], tf.int32)
        complete = tf.zeros([batch, self.n_best], tf.int32)
        return Texts(
            frame=none,
            sequences=tf.zeros([batch, self.width, size], tf.int32),
            lengths=none,
            scores=tf.tile(tf.where(tf.range(self.width) == 0, 0.0, IMPOSSIBLE)[None], [batch, 1]),
            best_sequences=tf.zeros([batch, self.n_best, size], tf.int32),
            best_lengths=complete,
            best_scores=tf.fill([batch, self.n_best], IMPOSSIBLE),
            is_cut=tf.fill([batch], False),
        )

    def last(self, state: State) -> Any:
        return state.size + 1 + extent(state.fixed["frames"], 1)

    def is_over(self, own: Texts) -> Any:
        return (tf.reduce_max(own.scores, axis=1) == IMPOSSIBLE) & ~own.is_cut

    def found(self, own: Texts) -> Hypotheses:
        totals = own.best_scores - self.token_bonus * tf.cast(own.best_lengths, tf.float32)
        return Hypotheses(own.best_sequences, own.best_lengths, own.best_scores, totals, self.is_over(own))

    def settled(self, own: Texts, index: int) -> list[int]:
        alive, complete = own.scores[0].numpy() > IMPOSSIBLE, own.best_scores[0].numpy() > IMPOSSIBLE
        rows = list(zip(own.sequences[0].numpy()[alive], own.lengths[0].numpy()[alive], strict=True))
        ends = list(zip(own.best_sequences[0].numpy()[complete], own.best_lengths[0].numpy()[complete], strict=True))
        return os.path.commonprefix([row[:length].tolist() for row, length in (rows + ends if rows else ends[:1])])

    def waits(self, own: Texts, num_frames: Any) -> Any:
        return tf.reduce_any((own.frame >= num_frames[:, None]) & (own.scores > IMPOSSIBLE), axis=1)

    def behind(self, own: Texts) -> Any:
        return tf.reduce_min(tf.where(own.scores > IMPOSSIBLE, own.frame, own.frame.dtype.max), axis=1)

    def leading(self, own: Texts, is_last: Any) -> tuple[Any, Any]:
        best = tf.argmax(own.scores[0], output_type=tf.int32)
        alive, complete = (own.sequences[0, best], own.lengths[0, best]), (own.best_sequences[0, 0], own.best_lengths[0, 0])
        return tuple(tf.where(is_last, one, other) for one, other in zip(complete, alive, strict=True))

    def resumed(self, own: Texts, num_read: Any, num_told: Any) -> Texts:
        return own._replace(
            frame=own.frame - num_read[:, None],
            sequences=shifted(own.sequences, num_told),
            lengths=own.lengths - num_told[:, None],
        )

    def advance(self, lattice: Any, state: State) -> State:
        own = self._completed(lattice, state)
        arcs = lattice.arcs(state.fixed, state.moving, own.frame)  # [batch, width, vocabulary]
        scores, tokens = self._candidates(own, arcs, state)  # [batch, width, 1 + count], the blank first
        count = extent(scores, 2)
        best, places = largest(tf.reshape(scores, [-1, self.width * count]), self.width)
        token = tf.gather(tf.reshape(tokens, [-1, self.width * count]), places, batch_dims=1)
        parents = places // count
        frame, lengths, sequences = (tf.gather(part, parents, batch_dims=1) for part in (own.frame, own.lengths, own.sequences))
        is_token = token != PAD
        here = (tf.range(tf.shape(sequences)[2]) == lengths[..., None]) & is_token[..., None]
        goes_on = tf.ones_like(is_token) if lattice.is_one_per_frame else ~is_token
        new = own._replace(
            frame=frame + tf.cast(goes_on, tf.int32),
            sequences=tf.where(here, token[..., None], sequences),
            lengths=lengths + tf.cast(is_token, tf.int32),
            scores=tf.where(self._is_beaten(own, best, state)[:, None], IMPOSSIBLE, best),
        )
        is_cut = tf.reduce_any((new.scores > IMPOSSIBLE) & (new.lengths >= state.size), axis=1) & (state.size < state.limits)
        new = new._replace(is_cut=own.is_cut | is_cut)  # must be searched again in longer buffers
        rows = tf.reshape(parents + self.width * tf.range(tf.shape(parents)[0])[:, None], [-1])
        moving = take_rows(state.moving, rows) if self.width > 1 else state.moving
        token, is_token = tf.reshape(token, [-1]), tf.reshape(is_token, [-1])
        return state._replace(own=new, moving=choose(is_token, lattice.written(state.fixed, moving, token), moving))

    def _completed(self, lattice: Any, state: State) -> Texts:
        """The texts with those that have read all frames among the complete ones, and no longer alive."""
        own: Texts = state.own
        is_complete = own.frame >= state.fixed["num_frames"][:, None]
        ends = tf.reshape(lattice.ends(state.moving), tf.shape(own.scores))
        scores = tf.concat([own.best_scores, tf.where(is_complete, own.scores + ends, IMPOSSIBLE)], 1)
        best, places = largest(scores, self.n_best)
        sequences = tf.gather(tf.concat([own.best_sequences, own.sequences], 1), places, batch_dims=1)
        lengths = tf.gather(tf.concat([own.best_lengths, own.lengths], 1), places, batch_dims=1)
        alive = tf.where(is_complete, IMPOSSIBLE, own.scores)
        return own._replace(scores=alive, best_sequences=sequences, best_lengths=lengths, best_scores=best)

    def _candidates(self, own: Texts, arcs: Any, state: State) -> tuple[Any, Any]:
        """Scores and tokens [batch, width, 1 + count] of what may follow each text: the blank, and its best tokens.

        A text reached both by its own blank and by the last token of its parent is one, with the sum of both.
        """
        ids = tf.range(tf.shape(arcs)[-1])
        is_barred = (ids == PAD) | (ids == START) | (ids == END) | ((ids == UNKNOWN) & (not self.allow_unknown))
        is_full = own.lengths >= tf.minimum(state.limits, state.size)[:, None]
        written = tf.where(is_barred | is_full[..., None], IMPOSSIBLE, own.scores[..., None] + arcs + self.token_bonus)
        count = min(2 * self.width, arcs.shape[-1])  # at most `width` of one text's tokens are taken away
        values, tokens = best_tokens(tf.reshape(written, [-1, arcs.shape[-1]]), count)
        values, tokens = (tf.reshape(part, [-1, self.width, count]) for part in (values, tokens))
        is_parent, last = parents(own)
        joining = tf.gather(written, tf.repeat(last[:, None], self.width, axis=1), batch_dims=2)  # [batch, parent, child]
        joining = tf.reduce_max(tf.where(is_parent, joining, IMPOSSIBLE), axis=1)
        blank = either(own.scores + arcs[..., PAD], joining)
        is_joined = tf.reduce_any(is_parent[:, :, None] & (tokens[..., None] == last[:, None, None]), axis=-1)
        scores = tf.concat([blank[..., None], tf.where(is_joined, IMPOSSIBLE, values)], -1)
        return scores, tf.concat([tf.zeros_like(tokens[..., :1]), tokens], -1)

    def _is_beaten(self, own: Texts, best: Any, state: State) -> Any:
        """[batch]: whether no text alive can become one of the n best: a text's mass is that of others before."""
        room = tf.cast(tf.minimum(state.limits, state.size), tf.float32)
        alive = _total(best) + self.token_bonus * room
        return own.best_scores[:, -1] >= alive


def _total(scores: Any) -> Any:
    """The logarithm of the sum of exponentials of each row [rows, width]; -inf where there is none."""
    most = tf.reduce_max(scores, axis=1)
    safe = tf.where(most == IMPOSSIBLE, 0.0, most)
    return safe + tf.math.log(tf.reduce_sum(tf.exp(scores - safe[:, None]), axis=1))
