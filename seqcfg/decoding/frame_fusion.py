"""Scores of frames with language models that join in."""

from __future__ import annotations

from typing import Any

from seqcfg.component.reserved_ids import START
from seqcfg.decoding.lattice import NoPosition
from seqcfg.decoding.mixture import inputs_of
from seqcfg.lazy import tf


class FusedFrames:
    """Adds weight log p(token | text) of each prior to tokens, and that of the end to complete texts (arXiv:1503.03535).

    Blanks and repetitions of a token cost nothing: priors speak of texts alone. Inputs of member i carry the prefix `i.`.
    """

    def __init__(self, frames: Any, priors: list[Any], weights: list[float]):
        self._frames, self._priors, self._weights = frames, priors, weights
        self.vocabulary = frames.vocabulary

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]:
        fixed, _ = self._frames.start(inputs_of(inputs, 0), max_length)
        started = [prior.start(inputs_of(inputs, place), max_length) for place, prior in enumerate(self._priors, 1)]
        fixed = fixed | {"priors": {str(place): one[0] for place, one in enumerate(started)}}
        states = {str(place): one[1] for place, one in enumerate(started)}
        return fixed, self.written(fixed, {"priors": states}, tf.fill([tf.shape(fixed["num_frames"])[0]], START))

    def added(self, moving: Any) -> Any:
        return moving["added"]

    def written(self, fixed: Any, moving: Any, tokens: Any) -> Any:
        added, new = tf.zeros([]), {}
        for place, (prior, weight) in enumerate(zip(self._priors, self._weights, strict=True)):
            name = str(place)
            new[name], logits = prior.go_on(fixed["priors"][name], moving["priors"][name], tokens, NoPosition())
            added += weight * tf.nn.log_softmax(tf.cast(logits, tf.float32))
        return {"priors": new, "added": added}
