"""Logits at every position of known outputs from a stepper that has no other way than one step after another."""

from __future__ import annotations

from typing import Any

from seqcfg.component.reserved_ids import START
from seqcfg.decoding.rows import extent
from seqcfg.lazy import tf


def stepwise_logits(stepper: Any, inputs: Any, ids: Any) -> Any:
    """What `stepper.step` gives at every position of known outputs: ids [batch, time] -> [batch, time, vocabulary]."""
    time = extent(ids, 1)
    fixed, moving = stepper.start(inputs, time)
    tokens = tf.pad(ids[:, :-1], [[0, 0], [1, 0]], constant_values=START)
    found = tf.TensorArray(tf.float32, time, element_shape=[None, stepper.vocabulary])

    def body(index: Any, moving: Any, found: Any) -> tuple[Any, Any, Any]:
        moving, logits = stepper.step(fixed, moving, tokens[:, index], index)
        return index + 1, moving, found.write(index, logits)

    _, _, found = tf.while_loop(lambda index, *_: index < time, body, (tf.constant(0), moving, found))
    return tf.transpose(found.stack(), [1, 0, 2])
