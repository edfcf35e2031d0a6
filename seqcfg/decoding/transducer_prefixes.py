"""A transducer as a stepper: the next token's probability, by those of all texts that begin alike."""

from __future__ import annotations

from typing import Any

from seqcfg.component.reserved_ids import END, PAD, START
from seqcfg.decoding.cumulative import cumulative_logsumexp
from seqcfg.decoding.stepwise_logits import stepwise_logits
from seqcfg.layers.portable import exact_dtype
from seqcfg.lazy import tf

NEVER = -1e30  # a logarithm of 0 that can be added to


class TransducerPrefixes:
    """p(token | prefix, frames) = p(prefix + token ...) / p(prefix ...), summed over all alignments and continuations.

    A text's tokens and its end multiply to its whole probability, as the loss has it (arXiv:1211.3711, section 2.4): the next
    token is k with the probability that the lattice is left for the next column by k, at whatever frame. So every search over
    tokens, fusion with language models and ensembles apply to transducers; a step looks at all frames.

    moving: `ahead` [rows, frames + 1], as `exact_dtype`, log-probability that the prefix is written and so many frames are behind;
    `tokens` [rows, width], what it adds to a frame; `total` [rows, frames], the logarithm of the sum of exponentials at each.
    """

    def __init__(self, w: Any):
        self._w, self._model = w, w.component
        self.vocabulary = w.output.kernel.shape[-1]

    def start(self, heard: Any, max_length: Any) -> tuple[Any, Any]:
        """heard: the Sequence that the model's `hear` gives."""
        frames = heard.values
        batch, time = tf.shape(frames)[0], tf.shape(frames)[1]
        fixed, moving = self._w.start(batch, max_length)
        moving = {
            "prediction": moving,
            "ahead": tf.fill([batch, time + 1], tf.constant(NEVER, exact_dtype())),
            "tokens": tf.zeros([batch, frames.shape[-1]], frames.dtype),
            "total": tf.zeros([batch, time], exact_dtype()),
        }
        num_frames = tf.reduce_sum(tf.cast(heard.mask, tf.int32), axis=1)
        return {"frames": frames, "num_frames": num_frames, "prediction": fixed}, moving

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        """tokens [rows] at position `index`, the start id first -> (moving, log-probabilities of what begins so [rows, vocabulary])."""
        width = tf.shape(tokens)[0] // tf.shape(fixed["frames"])[0]
        frames = tf.repeat(fixed["frames"], width, axis=0)  # [rows, frames, width]
        num_frames = tf.repeat(fixed["num_frames"], width)
        is_real = tf.sequence_mask(num_frames, tf.shape(frames)[1])
        entered = self._entered(frames, moving, tokens, is_real)
        state, added = self._w.read(fixed["prediction"], moving["prediction"], tokens, index)
        logits = tf.cast(self._w.logits(frames, added[:, None]), exact_dtype())  # [rows, frames, vocabulary]
        total = tf.reduce_logsumexp(logits, axis=-1)
        blank = tf.where(is_real, logits[:, :, PAD] - total, NEVER)
        ahead = _recursion(blank, entered)
        here = tf.where(is_real, ahead[:, :-1] - total, NEVER)
        following = tf.reduce_logsumexp(tf.expand_dims(here, -1) + logits, axis=1)
        whole = tf.gather(ahead, num_frames, batch_dims=1)
        ids = tf.range(self.vocabulary)
        following = tf.where(ids == END, whole[:, None], following)
        following = tf.cast(tf.where((ids == PAD) | (ids == START), tf.constant(NEVER, following.dtype), following), tf.float32)
        return {"prediction": state, "ahead": ahead, "tokens": added, "total": total}, following

    def logits(self, heard: Any, ids: Any, lengths: Any) -> Any:
        """What `step` gives at every position of known outputs: ids [batch, time] -> [batch, time, vocabulary]."""
        return stepwise_logits(self, heard, ids)

    def _entered(self, frames: Any, moving: Any, tokens: Any, is_real: Any) -> Any:
        """Log-probability [rows, frames + 1] that this token is the last arc, with so many frames behind; the start id is there at once."""
        row = tf.gather(self._w.output.kernel, tokens, axis=1)  # [width, rows]
        hidden = self._w.hidden(frames, moving["tokens"][:, None])
        logit = tf.reduce_sum(tf.cast(hidden, tf.float32) * tf.cast(tf.transpose(row), tf.float32)[:, None], axis=-1)
        logit += tf.cast(tf.gather(self._w.output.bias, tokens), tf.float32)[:, None]
        arc = moving["ahead"][:, :-1] + tf.cast(logit, exact_dtype()) - moving["total"]
        arc = tf.where(is_real, arc, NEVER)
        place = [1, 0] if self._model.is_one_per_frame else [0, 1]
        arc = tf.pad(arc, [[0, 0], place], constant_values=tf.constant(NEVER, exact_dtype()))
        first = tf.where(tf.range(tf.shape(arc)[1]) == 0, tf.constant(0.0, exact_dtype()), NEVER)
        return tf.where((tokens == START)[:, None], first, arc)


def _recursion(blank: Any, entered: Any) -> Any:
    """x[t] = log(e^entered[t] + e^(x[t-1] + blank[t-1])): blank [rows, frames], entered [rows, frames + 1] -> [rows, frames + 1].

    A cumulative sum once the blanks so far are taken off. A blank of NEVER, behind the last frame, would swallow all digits: it
    is a blank of 0 for what is never entered.
    """
    so_far = tf.pad(tf.cumsum(tf.where(blank > NEVER / 2, blank, 0.0), axis=1), [[0, 0], [1, 0]])
    return tf.maximum(so_far + cumulative_logsumexp(entered - so_far), NEVER)
