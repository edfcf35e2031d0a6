"""What a model of frames offers to searches that go from frame to frame."""

from __future__ import annotations

from typing import Any

from seqcfg.lazy import tf


class FrameScores:
    """fixed: `frames`, log-probabilities float32 [batch, frames, vocabulary] with the blank's under id 0, and `num_frames` [batch].

    Nothing moves: what a frame says does not depend on what is written.
    """

    def __init__(self, vocabulary: int):
        self.vocabulary = vocabulary

    def start(self, heard: Any, max_length: Any) -> tuple[Any, Any]:
        """heard: a Sequence of them."""
        return {"frames": heard.values, "num_frames": tf.reduce_sum(tf.cast(heard.mask, tf.int32), axis=1)}, {}

    def added(self, moving: Any) -> Any:
        """What is added to the score of each token that may follow, [rows, vocabulary], the end's under its id; None for nothing."""
        return None

    def written(self, fixed: Any, moving: Any, tokens: Any) -> Any:
        """The state after one more token [rows] in each row."""
        return moving
