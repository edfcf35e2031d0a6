"""Prefix beam search: the best few texts, all of them after the same number of frames."""

from __future__ import annotations

import os.path
from typing import Any, ClassVar, NamedTuple

from seqcfg.component.reserved_ids import END, PAD, START, UNKNOWN
from seqcfg.decoding.best_tokens import best_tokens, largest
from seqcfg.decoding.ctc_greedy import CTCGreedy
from seqcfg.decoding.growing_texts import either, parents, shifted
from seqcfg.decoding.lattice import choose
from seqcfg.decoding.loop import State
from seqcfg.decoding.rows import extent, take_rows
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.decoding.text_beam import TextBeam
from seqcfg.layers.portable import exact_dtype
from seqcfg.lazy import tf

IMPOSSIBLE = float("-inf")


def never() -> Any:
    """The logarithm of 0."""
    return tf.constant(IMPOSSIBLE, exact_dtype())


class Prefixes(NamedTuple):
    """Texts alive [batch, width] after `frame` [batch] frames: tokens [batch, width, time], their number and the last one.

    blank, token [batch, width], as `exact_dtype`: log-probabilities that these frames wrote the text, the last of them blank or not;
    extra: what bonus and priors add; scores: all together, -inf where none is alive. is_read [batch]: whether the end is judged.
    """

    frame: Any
    sequences: Any
    lengths: Any
    last: Any
    blank: Any
    token: Any
    extra: Any
    scores: Any
    is_read: Any
    is_cut: Any


class CTCBeam(TextBeam, type="ctc_beam"):
    """Prefix beam search from frame to frame (Hannun et al. 2014, arXiv:1408.2873, algorithm 1; Graves & Jaitly 2014).

    The probabilities of all paths of frames that write one text are added, so that with a wide beam a score is the text's probability
    under `ctc_loss`; a text that fell out of the beam begins anew with what enters later. A language model adds to tokens, and to
    the end of the text. A stream gives what the whole utterance gives, because a frame is read once and forgotten.
    """

    needs: ClassVar[str] = "frames"

    def quick(self) -> Any:
        return CTCGreedy(allow_unknown=self.allow_unknown)

    def first(self, batch: Any, size: Any) -> Prefixes:
        none = tf.zeros([batch, self.width], tf.int32)
        empty = tf.tile(tf.where(tf.range(self.width) == 0, tf.constant(0.0, exact_dtype()), IMPOSSIBLE)[None], [batch, 1])
        return Prefixes(
            frame=none[:, 0],
            sequences=tf.zeros([batch, self.width, size], tf.int32),
            lengths=none,
            last=none,
            blank=empty,
            token=tf.fill([batch, self.width], never()),
            extra=tf.zeros([batch, self.width], exact_dtype()),
            scores=empty,
            is_read=tf.fill([batch], False),
            is_cut=tf.fill([batch], False),
        )

    def last(self, state: State) -> Any:
        """A step for each frame, and one that judges the end."""
        return extent(state.fixed["frames"], 1) + 1

    def is_over(self, own: Prefixes) -> Any:
        return own.is_read & ~own.is_cut

    def found(self, own: Prefixes) -> Hypotheses:
        scores, places = largest(tf.cast(own.scores, tf.float32), self.n_best)
        sequences, lengths = (tf.gather(part, places, batch_dims=1) for part in (own.sequences, own.lengths))
        return Hypotheses(sequences, lengths, scores, scores - self.token_bonus * tf.cast(lengths, tf.float32), self.is_over(own))

    def settled(self, own: Prefixes, index: int) -> list[int]:
        scores = own.scores[0].numpy()
        chosen = [scores.argmax()] if own.is_read[0] else (scores > IMPOSSIBLE).nonzero()[0]
        return os.path.commonprefix([own.sequences[0, row, : own.lengths[0, row]].numpy().tolist() for row in chosen])

    def waits(self, own: Prefixes, num_frames: Any) -> Any:
        return own.frame >= num_frames

    def behind(self, own: Prefixes) -> Any:
        return own.frame

    def leading(self, own: Prefixes, is_last: Any) -> tuple[Any, Any]:
        best = tf.argmax(own.scores[0], output_type=tf.int32)
        return own.sequences[0, best], own.lengths[0, best]

    def resumed(self, own: Prefixes, num_read: Any, num_told: Any) -> Prefixes:
        return own._replace(frame=own.frame - num_read, sequences=shifted(own.sequences, num_told), lengths=own.lengths - num_told[:, None])

    def advance(self, scorer: Any, state: State) -> State:
        own: Prefixes = state.own
        is_here = own.frame < state.fixed["num_frames"]
        place = tf.minimum(own.frame, extent(state.fixed["frames"], 1) - 1)
        y = tf.cast(tf.gather(state.fixed["frames"], place, batch_dims=1), exact_dtype())  # [batch, vocabulary]
        added = self._added(scorer, state, tf.shape(y))
        is_last = tf.range(tf.shape(y)[1]) == own.last[..., None]
        entered = tf.where(is_last, own.blank[..., None], either(own.blank, own.token)[..., None]) + y[:, None]
        staying = self._staying(own, y, entered, is_here)
        scores, parent, written = self._chosen(own, entered, added, staying, is_here, state)
        new = self._grown(own, scores, parent, written, (entered, added, staying))
        is_cut = tf.reduce_any((scores > IMPOSSIBLE) & (new.lengths >= state.size), axis=1) & (state.size < state.limits)
        ends = tf.where(is_here[:, None] | (scores == IMPOSSIBLE), tf.constant(0.0, exact_dtype()), added[..., END])
        new = new._replace(
            frame=own.frame + tf.cast(is_here, tf.int32),
            scores=tf.where(own.is_read[:, None], own.scores, scores + ends),
            is_read=~is_here,
            is_cut=own.is_cut | is_cut,  # must be searched again in longer buffers
        )
        rows = tf.reshape(parent + self.width * tf.range(tf.shape(parent)[0])[:, None], [-1])
        moving = take_rows(state.moving, rows) if self.width > 1 else state.moving
        token = tf.reshape(written, [-1])
        return state._replace(own=new, moving=choose(token != PAD, scorer.written(state.fixed, moving, token), moving))

    def _added(self, scorer: Any, state: State, shape: Any) -> Any:
        """What bonus and priors add to each id that is written behind each text, [batch, width, vocabulary]."""
        prior = scorer.added(state.moving)
        bonus = tf.where(tf.range(shape[1]) == END, tf.constant(0.0, exact_dtype()), self.token_bonus)
        if prior is None:
            return tf.broadcast_to(bonus, [shape[0], self.width, shape[1]])
        return bonus + tf.reshape(tf.cast(prior, exact_dtype()), [shape[0], self.width, shape[1]])

    def _staying(self, own: Prefixes, y: Any, entered: Any, is_here: Any) -> tuple[Any, Any]:
        """`blank` and `token` of the texts alive after this frame, which writes no further token; those of before where there is none.

        What a text's own parent writes with its last token is the same text.
        """
        is_parent, written = parents(own)
        joining = tf.gather(entered, tf.repeat(written[:, None], self.width, axis=1), batch_dims=2)  # [batch, parent, child]
        joining = tf.reduce_max(tf.where(is_parent, joining, IMPOSSIBLE), axis=1)
        again = tf.where(own.last > 0, own.token + tf.gather(y, own.last, batch_dims=1), IMPOSSIBLE)
        blank = either(own.blank, own.token) + y[:, None, PAD]
        is_read = is_here[:, None]
        return tf.where(is_read, blank, own.blank), tf.where(is_read, either(again, joining), own.token)

    def _chosen(self, own: Prefixes, entered: Any, added: Any, staying: Any, is_here: Any, state: State) -> tuple[Any, Any, Any]:
        """The best texts [batch, width]: their scores, which they grew from, and the token written, 0 for none."""
        ids = tf.range(tf.shape(entered)[-1])
        is_barred = (ids == PAD) | (ids == START) | (ids == END) | ((ids == UNKNOWN) & (not self.allow_unknown))
        is_full = own.lengths >= tf.minimum(state.limits, state.size)[:, None]
        longer = tf.where(is_barred | is_full[..., None], never(), own.extra[..., None] + entered + added)
        count = min(2 * self.width, entered.shape[-1])  # at most `width` of one text's tokens are taken away
        values, tokens = best_tokens(tf.reshape(longer, [-1, entered.shape[-1]]), count)
        values, tokens = (tf.reshape(part, [-1, self.width, count]) for part in (values, tokens))
        is_parent, last = parents(own)
        is_joined = tf.reduce_any(is_parent[:, :, None] & (tokens[..., None] == last[:, None, None]), axis=-1)
        scores = tf.concat([(either(*staying) + own.extra)[..., None], tf.where(is_joined, never(), values)], -1)
        scores = tf.reshape(scores, [-1, self.width * (1 + count)])
        places = largest(scores, self.width)[1]
        places = tf.where(is_here[:, None], places, (1 + count) * tf.range(self.width))  # what has no frame left stays as it is
        tokens = tf.reshape(tf.concat([tf.zeros_like(tokens[..., :1]), tokens], -1), [-1, self.width * (1 + count)])
        return (tf.gather(scores, places, batch_dims=1), places // (1 + count), tf.gather(tokens, places, batch_dims=1))

    def _grown(self, own: Prefixes, scores: Any, parent: Any, written: Any, parts: tuple[Any, Any, Any]) -> Prefixes:
        """The texts that were chosen; what has no score is dead."""
        entered, added, staying = parts
        vocabulary, is_token, is_dead = extent(entered, 2), written != PAD, scores == IMPOSSIBLE
        flat = parent * vocabulary + written
        gained, gift = (tf.gather(tf.reshape(part, [-1, self.width * vocabulary]), flat, batch_dims=1) for part in (entered, added))
        blank, token = (tf.gather(part, parent, batch_dims=1) for part in staying)
        before, lengths, last, extra = (tf.gather(part, parent, batch_dims=1) for part in (own.sequences, own.lengths, own.last, own.extra))
        here = (tf.range(tf.shape(before)[2]) == lengths[..., None]) & is_token[..., None]
        return own._replace(
            sequences=tf.where(here, written[..., None], before),
            lengths=lengths + tf.cast(is_token, tf.int32),
            last=tf.where(is_token, written, last),
            blank=tf.where(is_token | is_dead, never(), blank),
            token=tf.where(is_dead, never(), tf.where(is_token, gained, token)),
            extra=extra + tf.where(is_token, gift, tf.zeros_like(gift)),
        )
