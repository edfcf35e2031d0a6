"""The loop of searches that never go back: one token after the other, each row on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from seqcfg.component.reserved_ids import END, START
from seqcfg.decoding.rows import like, write_column
from seqcfg.lazy import tf

Choose: TypeAlias = Callable[[Any, Any, Any], tuple[Any, Any]]


class Chain(NamedTuple):
    """One output per row: `sequences` [rows, time] are 0 from `lengths` [rows] on."""

    index: Any
    tokens: Any
    is_over: Any
    log_probabilities: Any
    lengths: Any
    sequences: Any
    moving: Any


def follow(stepper: Any, fixed: Any, moving: Any, limits: Any, max_length: Any, choose: Choose) -> Chain:
    """Extends every row until its end id or its limit, whichever comes first.

    limits [rows] int32, in tokens without the end id. `choose(logits, must_end, index) -> (tokens, log-probabilities)`
    sees logits [rows, vocabulary] and where only the end id is allowed, bool [rows].
    """
    rows = tf.shape(limits)[0] if limits.shape[0] is None else limits.shape[0]
    start = Chain(
        index=tf.constant(0),
        tokens=tf.fill([rows], START),
        is_over=tf.fill([rows], False),
        log_probabilities=tf.zeros([rows]),
        lengths=tf.zeros([rows], tf.int32),
        sequences=tf.zeros([rows, max_length], tf.int32),
        moving=moving,
    )

    def advance(chain: Chain) -> tuple[Chain]:
        moving, logits = stepper.step(fixed, chain.moving, chain.tokens, chain.index)
        tokens, gain = choose(logits, chain.index >= limits, chain.index)
        goes_on = ~chain.is_over & (tokens != END)
        new = Chain(
            index=chain.index + 1,
            tokens=tokens,
            is_over=~goes_on,
            log_probabilities=chain.log_probabilities + tf.where(chain.is_over, 0.0, gain),
            lengths=chain.lengths + tf.cast(goes_on, tf.int32),
            sequences=write_column(chain.sequences, chain.index, tf.where(goes_on, tokens, 0)),
            moving=moving,
        )
        return (like(new, chain),)

    (chain,) = tf.while_loop(lambda c: ~tf.reduce_all(c.is_over), advance, (start,), maximum_iterations=max_length + 1)
    return chain
