"""Phrases that an output must contain, and how far each hypothesis has come with them."""

from __future__ import annotations

from typing import Any

from seqcfg.component.reserved_ids import END
from seqcfg.decoding.rows import extent, write_column
from seqcfg.decoding.selection import Wanted
from seqcfg.lazy import tf


class Phrases:
    """Runs of tokens, rule_phrases [batch, number, time] with rule_phrases_length [batch, number], 0 for none.

    The end id is allowed when all have occurred. When no more tokens are left below rule_phrases_limit [batch] than the
    missing ones need, only tokens that continue or begin one of them are allowed. Phrases that overlap count in full.
    """

    def start(self, rules: dict[str, Any]) -> dict[str, Any]:
        lengths = rules["rule_phrases_length"]
        is_suffix = tf.zeros_like(rules["rule_phrases"], tf.bool)
        return {"has": lengths == 0, "reached": tf.zeros_like(lengths), "is_suffix": is_suffix}

    def step(self, rules: dict[str, Any], moving: dict[str, Any], index: Any) -> dict[str, Any]:
        """What hypotheses have, how many tokens of each phrase their last tokens are [rows, number], and how many they could be.

        is_suffix [rows, number, time]: whether the first 0, 1, ... tokens of a phrase are the last of the hypothesis.
        """
        history, lengths = moving["history"], self._rows(rules["rule_phrases_length"], moving)
        phrases = self._rows(rules["rule_phrases"], moving)  # [rows, number, time]
        time = extent(phrases, 2)

        def compare(size: Any, has: Any, reached: Any, suffix: Any) -> tuple[Any, Any, Any, Any]:
            offsets = tf.range(time)
            at = tf.clip_by_value(index - size + 1 + offsets, 0, extent(history, 1) - 1)
            last = tf.gather(history, at, axis=1)[:, None]  # [rows, 1, time]
            equal = tf.reduce_all((last == phrases) | (offsets >= size), axis=-1) & (index >= size) & (lengths >= size)
            is_whole = equal & (lengths == size)
            suffix = write_column(suffix, size, equal & ~is_whole)
            return size + 1, has | is_whole, tf.where(equal & ~is_whole, size, reached), suffix

        none = tf.zeros_like(moving["reached"]), write_column(tf.zeros_like(phrases, tf.bool), 0, tf.ones_like(lengths, tf.bool))
        _, has, reached, suffix = tf.while_loop(lambda size, *_: size <= time, compare, (tf.constant(1), moving["has"], *none))
        return {"has": has, "reached": tf.where(has, 0, reached), "is_suffix": suffix & ~has[..., None]}

    def allowed(self, rules: dict[str, Any], moving: dict[str, Any], index: Any, vocabulary: int, others: Any) -> Any:
        """Which tokens [rows, vocabulary] may follow; `others` is what other rules allow, None for all: phrases come first."""
        phrases, lengths = self._rows(rules["rule_phrases"], moving), self._rows(rules["rule_phrases_length"], moving)
        needed = tf.reduce_sum(tf.where(moving["has"], 0, lengths), axis=1)
        left = self._rows(rules["rule_phrases_limit"], moving) - index
        is_late = needed > left - 1
        in_time = needed[:, None, None] - tf.range(extent(phrases, 2)) <= left[:, None, None]
        rows = tf.broadcast_to(tf.range(tf.shape(needed)[0])[:, None, None], tf.shape(phrases))
        useful = tf.scatter_nd(
            tf.stack([rows, phrases], axis=-1), tf.cast(in_time & moving["is_suffix"], tf.int32), [tf.shape(needed)[0], vocabulary]
        )
        is_end = tf.range(vocabulary) == END
        free = ~is_end | (needed == 0)[:, None]
        if others is not None:
            free &= others
        return tf.where(is_late[:, None] & (needed > 0)[:, None], useful > 0, free)

    def wanted(self, rules: dict[str, Any], moving: dict[str, Any]) -> Wanted:
        phrases, lengths = self._rows(rules["rule_phrases"], moving), self._rows(rules["rule_phrases_length"], moving)
        at = tf.minimum(moving["reached"], tf.maximum(lengths - 1, 0))
        ids = tf.where(moving["has"], 0, tf.gather(phrases, at, batch_dims=2))
        settled = tf.reduce_sum(tf.where(moving["has"], lengths, 0), axis=1)
        return Wanted(ids, settled, moving["reached"] + 1)

    def _rows(self, of_sentences: Any, moving: dict[str, Any]) -> Any:
        """A row for each hypothesis."""
        return tf.repeat(of_sentences, tf.shape(moving["history"])[0] // tf.shape(of_sentences)[0], axis=0)
