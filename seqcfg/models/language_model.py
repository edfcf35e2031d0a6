"""Language model: one causal stack predicts each token from those before it."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer, Model
from seqcfg.component.reserved_ids import START
from seqcfg.layers.sequence import UNPACKED, Packing, Sequence
from seqcfg.lazy import tf
from seqcfg.losses.cross_entropy import CrossEntropy
from seqcfg.models.vocabulary_output import (
    declare_output,
    output_kept,
    output_logits,
    output_operands,
    output_weights,
    prepare_output,
    table_shape,
)


class LanguageModel(Model, type="language_model"):
    """p(text) = prod_t p(x_t | x_<t) with a causal stack of layers."""

    embedding: Layer = param(doc="Ids to vectors.")
    decoder: Layer = param(doc="Causal layers over the text.")
    output: Layer | None = param(default=None, doc="Dense layer to the logits; null uses the embedding, transposed, without bias.")

    def declare(self, d: Any, vocabulary: int) -> int:
        """Returns the width of the stack's output."""
        width = d.child("embedding", self.embedding, vocabulary)
        hidden = d.child("decoder", self.decoder, width)
        declare_output(d, self.output, hidden, width, self.embedding)
        return hidden

    def kept(self, d: Any, at: Any) -> float:
        return output_kept(d, "embedding", at.inputs)

    def at_work(self, d: Any, at: Any, loss: Any) -> float:
        return (loss or CrossEntropy()).at_work(at.inputs, *table_shape(d, "embedding"))

    def hidden(self, w: Any, ids: Any, lengths: Any, packing: Packing = UNPACKED) -> Any:
        """ids [batch, time] shifted right by the caller -> [batch, time, dim]."""
        mask = tf.sequence_mask(lengths, tf.shape(ids)[1])
        return w.decoder(Sequence(w.embedding(ids), mask, segments=packing.segments, positions=packing.positions)).values

    def output_weights(self, w: Any) -> tuple[Any, Any]:
        """(table [vocabulary, dim], bias [vocabulary] or None) such that logits = hidden table^T + bias."""
        return output_weights(w, w.embedding)

    def output_operands(self, w: Any, hidden: Any) -> tuple[Any, Any, Any]:
        """hidden [batch, time, dim] -> (hidden, table, bias) as losses take them; rounded where the model is."""
        return output_operands(w, w.embedding, hidden)

    def logits(self, w: Any, hidden: Any, ids: Any = None) -> Any:
        """hidden [..., dim] -> logits [..., vocabulary] float32; or of these ids [size] alone [..., size]."""
        return output_logits(w, w.embedding, hidden, ids)

    def start(self, w: Any, batch: Any, max_length: Any) -> tuple[Any, Any]:
        """(fixed, moving) for step-by-step decoding of `batch` texts of at most max_length positions."""
        prepare_output(w, w.embedding)
        return w.decoder.start(Sequence(w.embedding(tf.fill([batch, 1], START))), max_length)

    def step(self, w: Any, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        """tokens [hypotheses] int32 at position `index` -> (moving, logits [hypotheses, vocabulary])."""
        moving, hidden = self.read(w, fixed, moving, tokens, index)
        return moving, self.logits(w, hidden)

    def read(self, w: Any, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        """As `step`, with the vectors [hypotheses, dim] that the logits are made from."""
        y, moving = w.decoder.step(Sequence(w.embedding(tokens[:, None]), start=index), fixed, moving)
        return moving, y.values[:, 0]
