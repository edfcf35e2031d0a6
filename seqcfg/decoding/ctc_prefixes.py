"""CTC as a stepper: the next token's probability, by those of all texts that begin alike."""

from __future__ import annotations

from typing import Any

from seqcfg.component.reserved_ids import END, PAD, START
from seqcfg.decoding.stepwise_logits import stepwise_logits
from seqcfg.layers.portable import PORTABLE, exact_dtype
from seqcfg.lazy import tf

NEVER = -1e30  # a logarithm of 0 that can be added to


class CTCPrefixes:
    """p(token | prefix, frames) = p(prefix + token ...) / p(prefix ...) (Graves 2008, section 7.5.3; Watanabe et al. 2017, equation 16).

    What `...` stands for is summed over all continuations and alignments, so that the probabilities of a text's tokens and its
    end multiply to that of the whole text, as `ctc_loss` has it. So every search over tokens, fusion with language models and
    ensembles apply to CTC. Computed in float64, in graphs for other engines in float32; a step costs one product of [width, frames]
    and [frames, vocabulary] per sentence.

    moving: `blank`, `token` [rows, frames + 1], log-probabilities that the frames before that place have written exactly
    the prefix, the last of them blank or not; `last` [rows] the last token.
    """

    def __init__(self, vocabulary: int):
        self.vocabulary = vocabulary

    def start(self, heard: Any, max_length: Any) -> tuple[Any, Any]:
        """heard: a Sequence of log-probabilities [batch, frames, vocabulary], the blank's under id 0."""
        scores = tf.cast(heard.values, exact_dtype())
        num_frames = tf.reduce_sum(tf.cast(heard.mask, tf.int32), axis=1)
        blank = _shifted(tf.cumsum(scores[:, :, PAD], axis=1), 0.0)
        rows = tf.shape(scores)[0]
        moving = {"blank": blank, "token": tf.fill(tf.shape(blank), tf.constant(NEVER, scores.dtype)), "last": tf.fill([rows], START)}
        return {"scores": scores, "num_frames": num_frames}, moving

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        moving = self._extended(fixed, moving, tokens)
        return moving, self._following(fixed, moving)

    def logits(self, heard: Any, ids: Any, lengths: Any) -> Any:
        """What `step` gives at every position of known outputs: ids [batch, time] -> [batch, time, vocabulary]."""
        return stepwise_logits(self, heard, ids)

    def _extended(self, fixed: Any, moving: Any, tokens: Any) -> Any:
        """The state after one more token each; the start id changes nothing.

        The recursions over frames, token[t] = y[t] + log(e^token[t-1] + e^entered[t-1]) and the same for the blank, are cumulative
        sums once the scores so far are taken off.
        """
        scores, width = fixed["scores"], _width(fixed, tokens)
        entered = tf.where((tokens == moving["last"])[:, None], moving["blank"], _either(moving["blank"], moving["token"]))
        y = _scores_of(scores, tokens)
        token = _recursion(y, entered[:, :-1])
        blank = _recursion(tf.repeat(scores[:, :, PAD], width, axis=0), token[:, :-1])
        is_first = (tokens == START)[:, None]
        return {
            "blank": tf.where(is_first, moving["blank"], blank),
            "token": tf.where(is_first, moving["token"], token),
            "last": tf.where(is_first[:, 0], moving["last"], tokens),
        }

    def _following(self, fixed: Any, moving: Any) -> Any:
        """log p(prefix + id ...) of every id, float32 [rows, vocabulary]; under the end id that of the prefix alone."""
        scores, width = fixed["scores"], _width(fixed, moving["last"])
        num_frames = tf.repeat(fixed["num_frames"], width)
        is_real = tf.sequence_mask(num_frames, tf.shape(scores)[1])
        either = _either(moving["blank"], moving["token"])
        whole = tf.gather(either, num_frames, batch_dims=1)
        never, least = tf.constant(NEVER, scores.dtype), 1e-300 if scores.dtype == tf.float64 else 1e-37
        before = tf.where(is_real, either[:, :-1], never)  # [rows, frames]
        only_blank = tf.where(is_real, moving["blank"][:, :-1], never)
        largest = tf.reduce_max(before, axis=1, keepdims=True)
        share = tf.reshape(tf.exp(before - largest), [tf.shape(scores)[0], width, -1])  # [batch, width, frames]
        following = tf.reshape(tf.math.log(tf.matmul(share, tf.exp(scores)) + least), [-1, self.vocabulary]) + largest
        last = moving["last"]
        again = _log_sum(only_blank + _scores_of(scores, last))
        ids = tf.range(self.vocabulary)
        following = tf.where(ids == last[:, None], again[:, None], following)
        following = tf.where(ids == END, whole[:, None], following)
        return tf.cast(tf.where((ids == PAD) | (ids == START), never, following), tf.float32)


def _scores_of(scores: Any, tokens: Any) -> Any:
    """Of one token per row: scores [batch, frames, vocabulary], tokens [batch * width] -> [batch * width, frames]."""
    places = tf.reshape(tokens, [tf.shape(scores)[0], -1])
    found = tf.gather(tf.transpose(scores, [0, 2, 1]), places, batch_dims=1)  # [batch, width, frames]
    return tf.reshape(found, [tf.shape(tokens)[0], -1])


def _recursion(scores: Any, entered: Any) -> Any:
    """x[t] = scores[t] + log(e^x[t-1] + e^entered[t-1]) from x[0] = log 0: scores, entered [rows, frames] -> [rows, frames + 1]."""
    if PORTABLE.get():
        return _recursion_by_doubling(scores, entered)
    so_far = tf.cumsum(scores, axis=1)
    x = so_far + tf.math.cumulative_logsumexp(entered - (so_far - scores), axis=1)
    return _shifted(tf.maximum(x, NEVER), NEVER)


def _recursion_by_doubling(scores: Any, entered: Any) -> Any:
    """The same of plain operations: runs of 1, 2, 4 ... frames become one map x -> log(e^(step + x) + e^start) each.

    No sums are subtracted from each other, as float32 would not bear.
    """

    def doubled(span: Any, step: Any, start: Any) -> tuple[Any, Any, Any]:
        count = tf.shape(step)[1]
        earlier_step = tf.pad(step, [[0, 0], [span, 0]])[:, :count]
        earlier_start = tf.pad(start, [[0, 0], [span, 0]], constant_values=NEVER)[:, :count]
        return 2 * span, tf.maximum(step + earlier_step, NEVER), _either(start, step + earlier_start)

    rows = tf.TensorShape([scores.shape[0], None])
    first = (tf.constant(1), scores, scores + entered)
    _, _, start = tf.while_loop(
        lambda span, step, _: span < tf.shape(step)[1], doubled, first, shape_invariants=(tf.TensorShape([]), rows, rows)
    )
    return _shifted(tf.maximum(start, NEVER), NEVER)


def _log_sum(x: Any) -> Any:
    """log of the sum of e^x over the last axis."""
    largest = tf.reduce_max(x, axis=-1, keepdims=True)
    return tf.math.log(tf.reduce_sum(tf.exp(x - largest), axis=-1)) + largest[..., 0]


def _shifted(x: Any, first: float) -> Any:
    return tf.pad(x, [[0, 0], [1, 0]], constant_values=tf.constant(first, x.dtype))


def _either(a: Any, b: Any) -> Any:
    largest = tf.maximum(a, b)
    return largest + tf.math.log1p(tf.exp(tf.minimum(a, b) - largest))


def _width(fixed: Any, rows: Any) -> Any:
    return tf.shape(rows)[0] // tf.shape(fixed["scores"])[0]
