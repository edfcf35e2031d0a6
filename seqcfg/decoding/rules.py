"""Rules: what outputs must begin with, must contain, must not repeat, and how long they are at least; for every search."""

from __future__ import annotations

from typing import Any

from seqcfg.component.reserved_ids import END
from seqcfg.decoding.phrases import Phrases
from seqcfg.decoding.rows import extent, write_column
from seqcfg.lazy import tf

IMPOSSIBLE = float("-inf")
FLOOR, PREFIX, PHRASES = "rule_floor", "rule_prefix", "rule_phrases"  # inputs that carry rules of single sentences


class Ruled:
    """A stepper that gives the log-probabilities of another, and -infinity to tokens that a rule forbids.

    Log-probabilities stay the model's own: what is forbidden is not shared out. Rules come with the inputs, each if there:
    rule_floor [batch] int32 (fewest tokens); rule_prefix [batch, time] and rule_prefix_length [batch] (the first tokens);
    rule_phrases [batch, number, time] and rule_phrases_length [batch, number] (runs of tokens that must occur; 0 for none).
    `distinct_ngrams`: no run of so many tokens occurs twice (Paulus et al. 2018, arXiv:1705.04304), but what a prefix or
    a phrase demands may.
    """

    gives_scores = True

    def __init__(self, stepper: Any, distinct_ngrams: int | None = None, with_phrases: bool = False):
        self._stepper, self._ngrams, self._phrases = stepper, distinct_ngrams, None
        self.vocabulary = stepper.vocabulary
        if with_phrases:
            self._phrases = phrases = Phrases()
            self.wanted = lambda fixed, moving: phrases.wanted(fixed["rules"], moving)  # what makes a beam share out its places

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]:
        rules = {name: value for name, value in inputs.items() if name.startswith("rule_")}
        fixed, moving = self._stepper.start({name: value for name, value in inputs.items() if name not in rules}, max_length)
        fixed, moving = {"model": fixed, "rules": rules}, {"model": moving}
        if self._ngrams or self._phrases:
            batch = tf.shape(tf.nest.flatten(inputs)[0])[0]
            moving["history"] = tf.zeros([batch, max_length], tf.int32)
        if self._phrases:
            moving |= self._phrases.start(rules)
        return fixed, moving

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        inner, logits = self._stepper.step(fixed["model"], moving["model"], tokens, index)
        scores = logits if getattr(self._stepper, "gives_scores", False) else tf.nn.log_softmax(logits)
        rules, new = fixed["rules"], {**moving, "model": inner}
        allowed: Any = None
        if "history" in moving:
            new["history"] = write_column(moving["history"], index, tokens)
        if self._ngrams:
            allowed = ~repeats(new["history"], index, self._ngrams, self.vocabulary)
        if self._phrases:
            new |= self._phrases.step(rules, new, index)
            allowed = self._phrases.allowed(rules, new, index, self.vocabulary, allowed)
        scores = scores if allowed is None else tf.where(allowed, scores, IMPOSSIBLE)
        return new, self._of_sentences(rules, scores, logits, index)

    def logits(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        """Those of the stepper: given outputs are scored, whether a rule forbids them or not."""
        return self._stepper.logits({name: value for name, value in inputs.items() if not name.startswith("rule_")}, ids, lengths)

    def _of_sentences(self, rules: dict[str, Any], scores: Any, logits: Any, index: Any) -> Any:
        """Scores [rows, vocabulary] under floor and prefix."""
        ids = tf.range(self.vocabulary)
        for name in (FLOOR, PREFIX):
            if name not in rules:
                continue
            width = tf.shape(scores)[0] // tf.shape(rules[name])[0]
            if name == FLOOR:
                too_short = tf.repeat(index < rules[FLOOR], width)[:, None]
                scores = tf.where(too_short & (ids == END), IMPOSSIBLE, scores)
            else:
                whole = tf.nn.log_softmax(logits) if not getattr(self._stepper, "gives_scores", False) else logits
                prefix, length = rules[PREFIX], rules[f"{PREFIX}_length"]
                forced = tf.repeat(tf.gather(prefix, tf.minimum(index, extent(prefix, 1) - 1), axis=1), width)[:, None]
                is_forced = tf.repeat(index < length, width)[:, None]
                scores = tf.where(is_forced, tf.where(ids == forced, whole, IMPOSSIBLE), scores)
        return scores


def repeats(history: Any, index: Any, size: int, vocabulary: int) -> Any:
    """Which tokens [rows, vocabulary] would complete a run of `size` tokens that history has, positions 1 to `index` of [rows, time]."""
    time = extent(history, 1)
    place = tf.range(time)
    is_same = tf.ones(tf.shape(history), tf.bool)  # whether the run that begins here equals the last size - 1 tokens
    for offset in range(size - 1):
        here = tf.gather(history, tf.minimum(place + offset, time - 1), axis=1)
        last = tf.gather(history, tf.maximum(index - (size - 2) + offset, 0), axis=1)
        is_same &= here == last[:, None]
    is_same &= (place >= 1) & (place + size - 1 <= index)
    following = tf.gather(history, tf.minimum(place + size - 1, time - 1), axis=1)
    rows = tf.shape(history)[0]
    places = tf.stack([tf.broadcast_to(tf.range(rows)[:, None], tf.shape(following)), following], axis=-1)
    return tf.scatter_nd(places, tf.cast(is_same, tf.int32), [rows, vocabulary]) > 0
