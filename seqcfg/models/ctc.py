"""CTC: a stack of layers tells for each frame which token it writes, or that it writes none."""

from __future__ import annotations

from typing import Any, ClassVar

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer, Model
from seqcfg.decoding.ctc_prefixes import CTCPrefixes
from seqcfg.decoding.frame_scores import FrameScores
from seqcfg.layers.dense import Dense
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf
from seqcfg.losses.ctc import ctc_loss, frame_logits
from seqcfg.losses.loss_sum import LossSum


class CTC(Model, type="ctc"):
    """p(text | frames), summed over the alignments of its tokens to frames (Graves et al. 2006).

    A dense layer behind the encoder gives one score per id; id 0 stands for the blank. Repeated tokens of neighbouring
    frames are one. The encoder may be any stack of layers; where all of them look back only, results can be had as frames come.
    """

    offers: ClassVar[tuple[str, ...]] = ("tokens", "frames")
    sides: ClassVar[dict[str, str]] = {"encoder": "source", "output": "memory"}

    encoder: Layer = param(doc="Layers over frames; subsampling among them makes decoding faster and texts of many tokens impossible.")

    def declare(self, d: Any, width: Any, vocabulary: int) -> int:
        """Returns the width of the output, the size of the vocabulary."""
        width = d.child("encoder", self.encoder, width)
        if not isinstance(width, int):
            raise d.misfit(f"the encoder gives the width {width}, and one axis is needed", "end it with `merge_features`", "encoder")
        return d.child("output", Dense(units=vocabulary), width)

    def kept(self, d: Any, at: Any) -> float:
        return at.rows * at.memory * 2 * d.children["output"].features_out  # logarithms of probabilities, and the gradient

    def hear(self, w: Any, x: Sequence) -> Sequence:
        """Frames -> log-probabilities of ids, float32 [batch, frames, vocabulary], the blank's under id 0."""
        logits, mask = self._logits(w, x)
        return Sequence(tf.nn.log_softmax(logits), mask)

    def begin(self, w: Any, x: Sequence, max_length: Any) -> tuple[Any, Any]:
        """(fixed, moving) of hearing as frames come: `x` has their rows and width."""
        return w.encoder.start(x, max_length)

    def hear_on(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """As `hear` of the next frames [rows, a number of whole strides, width], and the state after them."""
        y, moving = w.encoder.step(x, fixed, moving)
        return y.with_values(tf.nn.log_softmax(frame_logits(w.output(y.values)))), moving

    def losses(self, w: Any, x: Sequence, ids: Any, lengths: Any) -> dict[str, LossSum]:
        """{"loss": as `ctc_loss`} of ids [batch, time] with the end id inside lengths [batch]."""
        logits, mask = self._logits(w, x)
        num_frames = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
        return {"loss": ctc_loss(logits, num_frames, ids, lengths, w.context.for_xla)}

    def scorer(self, w: Any, what: str) -> Any:
        """tokens: by the probabilities of prefixes; frames: the log-probabilities as they are."""
        vocabulary = w.output.kernel.shape[-1]
        return CTCPrefixes(vocabulary) if what == "tokens" else FrameScores(vocabulary)

    def _logits(self, w: Any, x: Sequence) -> tuple[Any, Any]:
        y = w.encoder(x)
        mask = tf.ones(tf.shape(y.values)[:2], tf.bool) if y.mask is None else y.mask
        return frame_logits(w.output(y.values)), mask
