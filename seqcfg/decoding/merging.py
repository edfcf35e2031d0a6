"""Merged paths: hypotheses that are the same text, written with other tokens, count as one."""

from __future__ import annotations

from typing import Any, Literal

from seqcfg.decoding.shortlist import IDS
from seqcfg.lazy import np, tf

IMPOSSIBLE = float("-inf")
BASE = 0x9E3779B97F4A7C15  # odd; hashes are polynomials in it, modulo 2^64
Merge = Literal["none", "best", "sum"]


class Spelt:
    """A stepper that keeps a hash of the text that each hypothesis is so far: moving["text"] [rows] int64.

    The hash of bytes b_1 ... b_n is sum_i (b_i + 1) BASE^(n-i) modulo 2^64, so that it grows by tokens of any cut alike.
    `codec` is the tokenizer of the outputs.
    """

    def __init__(self, stepper: Any, codec: Any):
        self._stepper, self._codec = stepper, codec
        self.vocabulary, self.gives_scores = stepper.vocabulary, getattr(stepper, "gives_scores", False)
        if hasattr(stepper, "wanted"):
            self.wanted = stepper.wanted

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]:
        fixed, moving = self._stepper.start(inputs, max_length)
        batch = tf.shape(tf.nest.flatten(inputs)[0])[0]
        meaning = {"spelt_ids": inputs[IDS]} if IDS in inputs else {}  # what tokens are where they are places in a shortlist
        return {**fixed, **meaning}, {**moving, "text": tf.zeros([batch], tf.int64)}

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        inner = {name: value for name, value in moving.items() if name != "text"}
        inner, logits = self._stepper.step(fixed, inner, tokens, index)
        return {**inner, "text": self._continued(fixed, moving["text"], tokens)}, logits

    def logits(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        return self._stepper.logits(inputs, ids, lengths)

    def texts(self, fixed: Any, moving: Any, ids: Any) -> Any:
        """The hashes of hypotheses after ids [batch, width, count], of the same shape."""
        return self._continued(fixed, tf.reshape(moving["text"], [-1, ids.shape[1], 1]), ids)

    def _continued(self, fixed: Any, texts: Any, tokens: Any) -> Any:
        hashes, powers = tables(self._codec)
        if "spelt_ids" in fixed:
            tokens = tf.gather(fixed["spelt_ids"][0], tokens)
        return texts * tf.gather(powers, tokens) + tf.gather(hashes, tokens)


def tables(codec: Any) -> tuple[Any, Any]:
    """Of every id the hash of its bytes, and BASE to the power of their number: two int64 arrays [vocabulary]."""
    hashes, powers = [], []
    for spelling in codec.spellings():
        value = 0
        for byte in spelling:
            value = (value * BASE + byte + 1) % 2**64
        hashes.append(value)
        powers.append(pow(BASE, len(spelling), 2**64))
    return np.array(hashes, np.uint64).view(np.int64), np.array(powers, np.uint64).view(np.int64)


def merged(values: Any, texts: Any, merge: Merge) -> Any:
    """Log-probabilities (or scores) [..., number] with -inf but for the largest of each text, which is then that of all if summed."""
    number = values.shape[-1]
    order = tf.range(tf.shape(values)[-1] if number is None else number)
    same = texts[..., None] == texts[..., None, :]  # [..., one, other]
    one, other = values[..., None], values[..., None, :]
    is_beaten = same & ((other > one) | ((other == one) & (order < order[:, None])))
    is_best = ~tf.reduce_any(is_beaten, axis=-1) & (values > IMPOSSIBLE)
    if merge == "sum":
        values = tf.minimum(tf.reduce_logsumexp(tf.where(same, other, IMPOSSIBLE), axis=-1), 0.0)
    return tf.where(is_best, values, IMPOSSIBLE)
