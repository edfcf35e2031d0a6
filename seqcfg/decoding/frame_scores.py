"""What a model of frames offers to searches that go from frame to frame."""

from __future__ import annotations

from typing import Any

from seqcfg.lazy import tf


class FrameScores:
    """fixed: `scores`, log-probabilities float32 [batch, frames, vocabulary] with the blank's under id 0, and `num_frames` [batch]."""

    def __init__(self, vocabulary: int):
        self.vocabulary = vocabulary

    def start(self, heard: Any, max_length: Any) -> tuple[Any, Any]:
        """heard: a Sequence of them."""
        return {"scores": heard.values, "num_frames": tf.reduce_sum(tf.cast(heard.mask, tf.int32), axis=1)}, {}
