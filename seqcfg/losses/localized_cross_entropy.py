"""Cross-entropy with labels that are smoothed towards their neighbours in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.kinds import Loss
from seqcfg.component.types import PositiveFloat, PositiveInt
from seqcfg.lazy import tf
from seqcfg.losses.cross_entropy import CrossEntropy
from seqcfg.losses.loss_sum import LossSum


class Neighbor(Record):
    """A label near by that has a share."""

    offset: int = param(doc="Where it stands, in positions after the label; below 0 before it.")
    weight: PositiveFloat = param(doc="Its share, where that of the label is 1.")


def usual_neighbors() -> list[Neighbor]:
    return [Neighbor(offset=offset, weight=weight) for offset, weight in ((-2, 0.05), (-1, 0.15), (1, 0.15), (2, 0.05))]


class LocalizedCrossEntropy(Loss, type="localized_cross_entropy"):
    """-sum_k q_k log p_k, with q of the labels around a position (Chorowski & Jaitly 2016, arXiv:1612.02695, section 3.2).

    q is 1 on the label and each neighbour's weight on the label at its offset, divided by their sum. The last label of a text,
    its end, is nobody's neighbour: else texts would end early.
    """

    neighbors: list[Neighbor] = param(factory=usual_neighbors, doc="The labels that have a share.")
    chunk_positions: PositiveInt = param(
        default=256, doc="Positions whose logits exist at the same time; bounds memory.", affects="nothing"
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        if any(one.offset == 0 for one in self.neighbors):
            yield "neighbors", "a label is not its own neighbour", "take offsets other than 0"

    def shares(self, labels: Any, weights: Any) -> tuple[Any, list[tuple[Any, Any]]]:
        """q of the labels [batch, time], and (labels, q of them) of each neighbour; weights are 0 at padding."""
        time = tf.shape(labels)[1]
        may_lend = tf.pad(weights[:, 1:], [[0, 0], [0, 1]])  # not the last real position
        found = []
        for one in self.neighbors:
            reach = abs(one.offset)
            place = slice(reach + one.offset, None)
            around = [tf.pad(x, [[0, 0], [reach, reach]])[:, place][:, :time] for x in (labels, may_lend)]
            found.append((around[0], one.weight * tf.cast(around[1] > 0, tf.float32)))
        total = 1.0 + tf.add_n([share for _, share in found]) if found else tf.ones(tf.shape(labels))
        return 1.0 / total, [(label, share / total) for label, share in found]

    def over_time(self, hidden: Any, table: Any, bias: Any, labels: Any, weights: Any) -> LossSum:
        """hidden [batch, time, dim], table [vocabulary, dim], bias [vocabulary] or None, labels and weights [batch, time].

        As the shares sum to 1, the loss is that of the label alone and, per neighbour, its share of the difference of logits.
        """
        flat, hard = tf.reshape(hidden, [-1, hidden.shape[-1]]), CrossEntropy(chunk_positions=self.chunk_positions)
        plain = hard.from_hidden(flat, table, bias, tf.reshape(labels, [-1]), tf.reshape(weights, [-1]))
        own = _logits(hidden, table, bias, labels)
        total = plain.total
        for neighbor, share in self.shares(labels, weights)[1]:
            total += tf.reduce_sum(weights * share * (own - _logits(hidden, table, bias, neighbor)))
        return LossSum(total, plain.weight, plain.metrics)


def _logits(hidden: Any, table: Any, bias: Any, labels: Any) -> Any:
    """float32 [batch, time]: the logit of each position's label."""
    found = tf.reduce_sum(tf.cast(hidden, tf.float32) * tf.cast(tf.gather(table, labels), tf.float32), -1)
    return found if bias is None else found + tf.cast(tf.gather(bias, labels), tf.float32)
