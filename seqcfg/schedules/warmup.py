"""Linear warm-up, shared by the schedules."""

from __future__ import annotations

from typing import Any

from seqcfg.lazy import tf


def warmup_factor(step: Any, warmup_steps: int) -> Any:
    """min(1, (step + 1) / warmup_steps): the update number `warmup_steps` is the first at the full rate."""
    if warmup_steps == 0:
        return tf.constant(1.0)
    return tf.minimum(1.0, (tf.cast(step, tf.float32) + 1.0) / warmup_steps)
