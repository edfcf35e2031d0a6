"""Which continuations of a sentence's hypotheses stay alive."""

from __future__ import annotations

from typing import Any, NamedTuple

from seqcfg.decoding.best_tokens import largest
from seqcfg.decoding.rows import extent
from seqcfg.lazy import tf

IMPOSSIBLE = float("-inf")


def by_group(totals: Any, ids: Any, width: int, num_groups: int, diversity: float) -> tuple[Any, Any]:
    """The best `width` of totals [batch, width, count], as many from each group: their totals, and places in [width * count].

    ids [batch, width, count] are the tokens. Earlier groups make their tokens dearer for later ones.
    """
    batch, count, size = tf.shape(totals)[0], extent(ids, -1), width // num_groups
    if num_groups == 1:
        return largest(tf.reshape(totals, [batch, width * count]), width)
    found, taken = [], tf.zeros([batch, 0], tf.int32)
    for group in range(num_groups):
        part = slice(group * size, (group + 1) * size)
        own, tokens = (tf.reshape(part_of, [batch, size * count]) for part_of in (totals[:, part], ids[:, part]))
        times = tf.math.count_nonzero(tokens[..., None] == taken[:, None], axis=-1, dtype=tf.int32)
        dear, places = largest(own - diversity * tf.cast(times, tf.float32), size)
        kept = tf.where(dear == IMPOSSIBLE, IMPOSSIBLE, tf.gather(own, places, batch_dims=1))
        taken = tf.concat([taken, tf.gather(tokens, places, batch_dims=1)], axis=1)
        found.append((kept, places + group * size * count))
    values, places = (tf.concat(part, axis=1) for part in zip(*found, strict=True))
    return values, places


def by_bank(totals: Any, banks: Any, width: int) -> tuple[Any, Any]:
    """As `by_group` with one group, but in turn from each bank: first the best of every bank, the fullest bank first, then their second.

    banks [batch, width, count] int32: how many tokens of what is wanted a continuation has.
    """
    size = totals.shape[1] * extent(totals, 2)
    flat, bank = tf.reshape(totals, [-1, size]), tf.reshape(banks, [-1, size])
    order = tf.argsort(flat, direction="DESCENDING", stable=True)
    order = tf.gather(order, tf.argsort(tf.gather(bank, order, batch_dims=1), stable=True), batch_dims=1)  # by bank, the best first
    flat, bank = tf.gather(flat, order, batch_dims=1), tf.gather(bank, order, batch_dims=1)
    rank = tf.range(size) - tf.searchsorted(bank, bank)
    most = bank[:, -1:] + 1
    turn = tf.where(flat == IMPOSSIBLE, size * most, rank * most + most - 1 - bank)
    places = largest(-tf.cast(turn, tf.float32), width)[1]
    return tf.gather(flat, places, batch_dims=1), tf.gather(order, places, batch_dims=1)


def without_copies(values: Any, sequences: Any) -> Any:
    """Values [batch, width] with -inf where an earlier hypothesis with a value has the same sequence [batch, width, time]."""
    same = tf.reduce_all(sequences[:, :, None] == sequences[:, None], axis=-1)  # [batch, one, other]
    order = tf.range(values.shape[1])
    is_copy = same & (order < order[:, None]) & (values > IMPOSSIBLE)[:, None]
    return tf.where(tf.reduce_any(is_copy, axis=-1), IMPOSSIBLE, values)


class Wanted(NamedTuple):
    """Tokens that would bring each hypothesis forward: ids [rows, number], 0 for none.

    settled [rows] counts the tokens of phrases that are complete, and reached [rows, number] those of the phrase that the id
    continues, the id included.
    """

    ids: Any
    settled: Any
    reached: Any

    def added(self, logits: Any, values: Any, ids: Any) -> tuple[Any, Any]:
        """Values and ids [rows, count] with the wanted ones behind them where they are missing."""
        repeated = tf.reduce_any(self.ids[..., None] == ids[:, None], axis=-1)
        order = tf.range(extent(self.ids, 1))
        repeated |= tf.reduce_any((self.ids[..., None] == self.ids[:, None]) & (order < order[:, None]), axis=-1)
        more = tf.where(repeated | (self.ids == 0), IMPOSSIBLE, tf.gather(logits, self.ids, batch_dims=1))
        return tf.concat([values, more], axis=1), tf.concat([ids, self.ids], axis=1)

    def banks(self, ids: Any) -> Any:
        """How many wanted tokens each hypothesis has after ids [batch, width, count]."""
        flat = tf.reshape(ids, [-1, extent(ids, -1)])
        is_next = (self.ids[:, None] == flat[..., None]) & (self.ids > 0)[:, None]  # [rows, count, number]
        further = tf.reduce_max(tf.where(is_next, self.reached[:, None], 0), axis=-1)
        return tf.reshape(self.settled[:, None] + further, tf.shape(ids))
