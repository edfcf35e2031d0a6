"""One encoder that is read by a decoder with attention and by CTC, in training and in decoding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from seqcfg.component.component import param
from seqcfg.component.kinds import Model
from seqcfg.component.types import Probability
from seqcfg.decoding.ctc_prefixes import CTCPrefixes
from seqcfg.decoding.frame_scores import FrameScores
from seqcfg.layers.dense import Dense
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf
from seqcfg.losses.ctc import ctc_loss, frame_logits
from seqcfg.losses.loss_sum import LossSum
from seqcfg.models.encoder_decoder import EncoderDecoder
from seqcfg.models.speller import Speller


class CTCAttention(Model, type="ctc_attention"):
    """(1 - a) log p_attention(text | frames) + a log p_ctc(text | frames) (Kim et al. 2017, arXiv:1609.06773; Watanabe et al. 2017).

    CTC knows that speech is read from left to right, which attention learns sooner from it, and its prefix probabilities keep a
    search from skipping or repeating parts of long utterances. Both losses are means over their tokens before they are mixed.
    """

    offers: ClassVar[tuple[str, ...]] = ("tokens", "frames", "attention")
    sides: ClassVar[dict[str, str]] = {"ctc_output": "memory"}

    attention: EncoderDecoder = param(doc="The encoder and the decoder that attends to it.")
    ctc_weight: Probability = param(default=0.3, doc="Share a of CTC in the loss.")
    decoding_ctc_weight: Probability = param(default=0.3, doc="Share a of CTC in the scores of a search over tokens.")

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.attention.reads_text:
            yield "attention", "the encoder reads frames, which have no embedding", "leave source_embedding out"
        if self.ctc_weight == 0 < self.decoding_ctc_weight:
            yield "decoding_ctc_weight", "a part that is not trained would take part in decoding", "raise ctc_weight, or set this to 0"

    def declare(self, d: Any, width: Any, vocabulary: int) -> int:
        """Returns the width of the decoder's output."""
        hidden = d.child("attention", self.attention, width, vocabulary)
        d.child("ctc_output", Dense(units=vocabulary), d.children["attention"].children["encoder"].output)
        return hidden

    def kept(self, d: Any, at: Any) -> float:
        return at.rows * at.memory * 2 * d.children["ctc_output"].features_out  # logarithms of probabilities, and the gradient

    def hear(self, w: Any, x: Sequence) -> Sequence:
        """Frames -> memory, values [batch, time, dim]."""
        return w.attention.hear(x)

    def losses(self, w: Any, x: Sequence, ids: Any, lengths: Any) -> dict[str, LossSum]:
        """{"loss": the mixture, per token of the decoder, "attention" and "ctc": the parts} of ids with the end id inside lengths."""
        memory = w.hear(x)
        spelt = w.attention.spelling_loss(memory, ids, lengths)
        num_frames = tf.reduce_sum(tf.cast(real(memory), tf.int32), axis=1)
        aligned = ctc_loss(frame_logits(w.ctc_output(memory.values)), num_frames, ids, lengths, w.context.for_xla)
        scale = spelt.weight / tf.maximum(aligned.weight, 1.0)
        total = (1 - self.ctc_weight) * spelt.total + self.ctc_weight * scale * aligned.total
        return {"loss": LossSum(total, spelt.weight, aligned.metrics | spelt.metrics), "attention": spelt, "ctc": aligned}

    def scorer(self, w: Any, what: str) -> Any:
        """tokens: both parts together; frames: CTC's alone."""
        if what == "frames":
            return Frames(w)
        return Joint(w, self.decoding_ctc_weight) if self.decoding_ctc_weight else Speller(w.attention)


def real(memory: Sequence) -> Any:
    """bool [batch, time]."""
    return tf.ones(tf.shape(memory.values)[:2], tf.bool) if memory.mask is None else memory.mask


def aligned_scores(w: Any, memory: Sequence) -> Sequence:
    """Log-probabilities of ids at each frame, float32 [batch, time, vocabulary], the blank's under id 0."""
    return Sequence(tf.nn.log_softmax(frame_logits(w.ctc_output(memory.values))), real(memory))


class Frames(FrameScores):
    """CTC's scores of a memory, for searches that go from frame to frame."""

    def __init__(self, w: Any):
        super().__init__(w.ctc_output.kernel.shape[-1])
        self._w = w

    def start(self, memory: Sequence, max_length: Any) -> tuple[Any, Any]:
        return super().start(aligned_scores(self._w, memory), max_length)


class Joint:
    """The stepper of both parts: weighted sums of their log-probabilities; see `Stepper`."""

    gives_scores = True

    def __init__(self, w: Any, weight: float):
        self._w, self._weight, self._speller = w, weight, Speller(w.attention)
        self.vocabulary = self._speller.vocabulary
        self._prefixes = CTCPrefixes(self.vocabulary)

    def start(self, memory: Sequence, max_length: Any) -> tuple[Any, Any]:
        spelt, aligned = self._speller.start(memory, max_length), self._prefixes.start(aligned_scores(self._w, memory), max_length)
        return {"attention": spelt[0], "ctc": aligned[0]}, {"attention": spelt[1], "ctc": aligned[1]}

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        spelt, logits = self._speller.step(fixed["attention"], moving["attention"], tokens, index)
        aligned, scores = self._prefixes.step(fixed["ctc"], moving["ctc"], tokens, index)
        return {"attention": spelt, "ctc": aligned}, self._mixed(logits, scores)

    def logits(self, memory: Sequence, ids: Any, lengths: Any) -> Any:
        scores = self._prefixes.logits(aligned_scores(self._w, memory), ids, lengths)
        return self._mixed(self._speller.logits(memory, ids, lengths), scores)

    def _mixed(self, logits: Any, scores: Any) -> Any:
        return (1 - self._weight) * tf.nn.log_softmax(logits) + self._weight * tf.nn.log_softmax(scores)
