"""Transducer: one stack reads frames, another what was written so far, and both decide what comes next."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer, Model
from seqcfg.component.reserved_ids import END, PAD, START
from seqcfg.component.types import Activation, NonNegativeFloat, PositiveInt
from seqcfg.decoding.lattice import Lattice
from seqcfg.decoding.transducer_prefixes import TransducerPrefixes
from seqcfg.layers.activation import activate
from seqcfg.layers.attention.multi_head import MultiHeadAttention
from seqcfg.layers.attention.relative import RelativeAttention
from seqcfg.layers.dense import Dense
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import tf
from seqcfg.losses.ctc import ctc_loss, frame_logits
from seqcfg.losses.loss_sum import LossSum
from seqcfg.losses.transducer import Joint, TransducerLoss

BLANK = PAD  # the arc that goes on to the next frame
BARRED = -1e9  # added to logits of ids that no arc writes


class Transducer(Model, type="transducer"):
    """p(text | frames), summed over all ways to write it while reading (Graves 2012, arXiv:1211.3711).

    At frame t, with u tokens written, the logits of the next arc are output(activation(A encoder[t] + B prediction[u])); id 0 is
    the blank, which goes on to the next frame. As nothing depends on later frames but what the encoder makes of them, text comes
    as frames come where the encoder looks back only. With one token per frame at most, a token goes on to the next frame, too
    (the monotonic transducer of Tripathi et al. 2019; recurrent neural aligner, Sak et al. 2017).
    """

    offers: ClassVar[tuple[str, ...]] = ("tokens", "lattice")
    sides: ClassVar[dict[str, str]] = {"encoder": "source", "join_frames": "memory", "ctc_output": "memory"}

    encoder: Layer = param(doc="Layers over frames; subsampling among them makes training and decoding cheaper.")
    embedding: Layer = param(doc="Ids of tokens to vectors; the start id stands before the first.")
    prediction: Layer = param(
        doc="Causal layers over the tokens written: recurrent, or a causal convolution that sees the last few only (arXiv:2003.07705)."
    )
    joint_width: PositiveInt = param(default=256, doc="Width in which frames and tokens are added up.")
    joint_activation: Activation = param(default="tanh", doc="Applied to the sum.")
    tokens_per_frame: Literal["any", "one"] = param(default="any", doc="How many tokens a frame may write.")
    loss: TransducerLoss = param(factory=TransducerLoss, doc="Compares all alignments with the transcript.")
    ctc_weight: NonNegativeFloat = param(
        default=0.0,
        doc="Factor of a CTC loss beside it, from an output layer on the encoder for training alone (dimensionless); 0 for none.",
    )

    def declare(self, d: Any, width: Any, vocabulary: int) -> int:
        """Returns the size of the vocabulary."""
        width = d.child("encoder", self.encoder, width)
        if not isinstance(width, int):
            raise d.misfit(
                f"the encoder gives the width {width}, and one feature axis is needed", "end it with `merge_features`", "encoder"
            )
        d.child("join_frames", Dense(units=self.joint_width), width)
        predicted = d.child("prediction", self.prediction, d.child("embedding", self.embedding, vocabulary))
        if any(isinstance(node.component, (MultiHeadAttention, RelativeAttention)) for node in d.children["prediction"].nodes()):
            raise d.misfit("attention cannot follow tokens that are written at their own pace", "use lstm, or conv1d", "prediction")
        d.child("join_tokens", Dense(units=self.joint_width, use_bias=False), predicted)
        if self.ctc_weight:
            d.child("ctc_output", Dense(units=vocabulary), width)
        return d.child("output", Dense(units=vocabulary), self.joint_width)

    def kept(self, d: Any, at: Any) -> float:
        """Of each node of the lattice the probabilities of its two arcs, of what leads to it and from it, and both gradients."""
        return at.inputs * at.memory * 6

    def at_work(self, d: Any, at: Any, loss: Any) -> float:
        """Of one chunk of frames hidden vectors and logits, each before and after a step."""
        return at.inputs * min(at.memory, self.loss.chunk_frames) * 2 * (self.joint_width + 2 * d.children["output"].features_out)

    def hear(self, w: Any, x: Sequence) -> Sequence:
        """Frames -> what the joint network adds up, values [batch, frames, joint_width] with a mask."""
        return w.join_frames(self._encoded(w, x))

    def begin(self, w: Any, x: Sequence, max_length: Any) -> tuple[Any, Any]:
        """(fixed, moving) of hearing as frames come: `x` has their rows and width."""
        return w.encoder.start(x, max_length)

    def hear_on(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        """As `hear` of the next frames [rows, a number of whole strides, width], and the state after them."""
        y, moving = w.encoder.step(x, fixed, moving)
        return w.join_frames(y), moving

    def losses(self, w: Any, x: Sequence, ids: Any, lengths: Any) -> dict[str, LossSum]:
        """{"loss": -log p(text | frames)} of ids [batch, time] with the end id, which is no token here, inside lengths [batch].

        The weight is the number of tokens, at least 1 per example. A text that the frames cannot write has none and is counted as
        `left_out`; rows of length 0 are padding.
        """
        encoded = self._encoded(w, x)
        num_frames = tf.reduce_sum(tf.cast(encoded.mask, tf.int32), axis=1)
        num_tokens = tf.maximum(lengths - 1, 0)
        joint = Joint(w.join_frames(encoded.values), self._predicted(w, ids, lengths), w.output.kernel, self._bias(w))
        nll, is_possible = self.loss(
            joint, ids[:, :-1], num_frames, num_tokens, blank=BLANK, activation=self.joint_activation, one_per_frame=self.is_one_per_frame
        )
        is_example = lengths > 0
        is_used = is_example & is_possible
        total = tf.reduce_sum(tf.where(is_used, nll, 0.0))
        weight = tf.reduce_sum(tf.where(is_used, tf.cast(tf.maximum(num_tokens, 1), tf.float32), 0.0))
        metrics = {"nll": tf.stop_gradient(total), "left_out": tf.reduce_sum(tf.cast(is_example & ~is_possible, tf.float32))}
        if self.ctc_weight:
            logits = frame_logits(w.ctc_output(encoded.values))
            total += self.ctc_weight * ctc_loss(logits, num_frames, ids, lengths, w.context.for_xla).total
        return {"loss": LossSum(total, weight, metrics)}

    def scorer(self, w: Any, what: str) -> Any:
        """tokens: by the probabilities of prefixes; lattice: arc by arc."""
        return (TransducerPrefixes if what == "tokens" else Lattice)(w)

    @property
    def is_one_per_frame(self) -> bool:
        return self.tokens_per_frame == "one"

    def start(self, w: Any, batch: Any, max_length: Any) -> tuple[Any, Any]:
        """(fixed, moving) of the prediction network for `batch` texts of at most max_length tokens."""
        return w.prediction.start(Sequence(w.embedding(tf.fill([batch, 1], START))), max_length)

    def read(self, w: Any, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        """tokens [rows] -> (moving, what the joint network adds to frames [rows, joint_width])."""
        y, moving = w.prediction.step(Sequence(w.embedding(tokens[:, None]), start=index), fixed, moving)
        return moving, w.join_tokens(y.values[:, 0])

    def hidden(self, w: Any, frames: Any, tokens: Any) -> Any:
        """The joint network's vectors behind its logits; both arguments [..., joint_width]."""
        return activate(self.joint_activation, frames + tokens)

    def logits(self, w: Any, frames: Any, tokens: Any) -> Any:
        """Of the arcs of nodes: both arguments [..., joint_width] -> [..., vocabulary] float32."""
        logits = w.output(self.hidden(w, frames, tokens))
        return tf.cast(logits, tf.float32) + barred(logits.shape[-1], tf.float32)

    def _encoded(self, w: Any, x: Sequence) -> Sequence:
        """The encoder's result, with a mask."""
        y = w.encoder(x)
        return y if y.mask is not None else dataclasses.replace(y, mask=tf.ones(tf.shape(y.values)[:2], tf.bool))

    def _predicted(self, w: Any, ids: Any, lengths: Any) -> Any:
        """What the joint network adds to frames after 0, 1, ... tokens: [batch, time, joint_width]."""
        inputs = tf.pad(ids[:, :-1], [[0, 0], [1, 0]], constant_values=START)
        mask = tf.sequence_mask(lengths, tf.shape(ids)[1])
        return w.join_tokens(w.prediction(Sequence(w.embedding(inputs), mask)).values)

    def _bias(self, w: Any) -> Any:
        return w.output.bias + barred(w.output.bias.shape[0], w.output.bias.dtype)


def barred(vocabulary: int, dtype: Any) -> Any:
    """Added to logits, makes the start and end ids impossible: [vocabulary]."""
    ids = tf.range(vocabulary)
    return tf.cast(tf.where((ids == START) | (ids == END), BARRED, 0.0), dtype)
