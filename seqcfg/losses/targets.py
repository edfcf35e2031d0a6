"""Targets: labels, shifted inputs and weights of a sequence that is predicted token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from seqcfg.component.reserved_ids import START
from seqcfg.layers.sequence import UNPACKED, Packing
from seqcfg.lazy import tf
from seqcfg.losses.loss_sum import LossSum


class Targets(NamedTuple):
    """inputs [batch, time] begin with the start id; labels [batch, time] end with the end id; lengths [batch]."""

    inputs: Any
    labels: Any
    lengths: Any


def targets(ids: Any, lengths: Any, packing: Packing = UNPACKED) -> Targets:
    """ids [batch, time] int32 with the end id inside `lengths` and zeros behind it; each packed text begins with the start id."""
    inputs = tf.pad(ids[:, :-1], [[0, 0], [1, 0]], constant_values=START)
    if packing.positions is not None:
        inputs = tf.where(packing.positions == 0, START, inputs)
    return Targets(inputs, ids, lengths)


def token_loss(loss: Any, hidden: Any, output_weights: Sequence[Any], labels: Any, lengths: Any) -> LossSum:
    """The loss over real positions: hidden [batch, time, dim], labels [batch, time]; padding weighs 0."""
    table, bias = output_weights
    weights = tf.cast(tf.sequence_mask(lengths, tf.shape(labels)[1]), tf.float32)
    if hasattr(loss, "over_time"):  # it looks at neighbouring labels
        return loss.over_time(hidden, table, bias, labels, weights)
    flat = tf.reshape(hidden, [-1, hidden.shape[-1]])  # [batch * time, dim]
    return loss.from_hidden(flat, table, bias, tf.reshape(labels, [-1]), tf.reshape(weights, [-1]))
