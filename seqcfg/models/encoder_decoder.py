"""Encoder-decoder: one stack reads the source, another writes the target while attending to what was read."""

from __future__ import annotations

from typing import Any

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer, Model
from seqcfg.component.reserved_ids import START
from seqcfg.layers.sequence import UNPACKED, Packing, Sequence
from seqcfg.lazy import tf
from seqcfg.models.vocabulary_output import declare_output, output_logits, output_weights


class EncoderDecoder(Model, type="encoder_decoder"):
    """p(target | source) = prod_t p(y_t | y_<t, encoder(source)) (arXiv:1409.3215; as Transformer arXiv:1706.03762).

    Left out, `target_embedding` is the source's and `output` is the target embedding's transpose: with both left
    out one matrix is used three times (arXiv:1608.05859).
    """

    source_embedding: Layer = param(doc="Source ids to vectors.")
    target_embedding: Layer | None = param(default=None, doc="Target ids to vectors; null uses the source embedding for both sides.")
    encoder: Layer = param(doc="Layers over the source.")
    decoder: Layer = param(doc="Layers over the target; their attention may read the encoder's output as memory.")
    output: Layer | None = param(default=None, doc="Dense layer to the logits; null uses the target embedding transposed.")

    def declare(self, d: Any, source_vocabulary: int, target_vocabulary: int) -> int:
        """Returns the width of the decoder's output."""
        width = d.child("source_embedding", self.source_embedding, source_vocabulary)
        memory_width = d.child("encoder", self.encoder, width)
        if self.target_embedding is not None:
            width = d.child("target_embedding", self.target_embedding, target_vocabulary)
        elif source_vocabulary != target_vocabulary:
            hint = "give target_embedding, or one tokenizer to both sides"
            raise d.misfit(
                f"one embedding cannot serve vocabularies of {source_vocabulary} and {target_vocabulary}", hint, "target_embedding"
            )
        d.memory_width = memory_width
        hidden = d.child("decoder", self.decoder, width)
        declare_output(d, self.output, hidden, width)
        return hidden

    def encode(self, w: Any, ids: Any, lengths: Any, packing: Packing = UNPACKED) -> Sequence:
        """ids [batch, source_time] int32, lengths [batch] -> memory, values [batch, time, dim]."""
        mask = tf.sequence_mask(lengths, tf.shape(ids)[1])
        return w.encoder(Sequence(w.source_embedding(ids), mask, segments=packing.segments, positions=packing.positions))

    def hidden(self, w: Any, memory: Sequence, ids: Any, lengths: Any, packing: Packing = UNPACKED) -> Any:
        """Decoder outputs [batch, target_time, dim] for target ids [batch, target_time] shifted right by the caller."""
        mask = tf.sequence_mask(lengths, tf.shape(ids)[1])
        values = self._target_embedding(w)(ids)
        return w.decoder(Sequence(values, mask, segments=packing.segments, positions=packing.positions, memory=memory)).values

    def output_weights(self, w: Any) -> tuple[Any, Any]:
        """(table [vocabulary, dim], bias [vocabulary] or None) such that logits = hidden table^T + bias."""
        return output_weights(w, self._target_embedding(w))

    def logits(self, w: Any, hidden: Any, ids: Any = None) -> Any:
        """hidden [..., dim] -> logits [..., vocabulary] float32; or of these ids [size] alone [..., size]."""
        return output_logits(w, self._target_embedding(w), hidden, ids)

    def start(self, w: Any, memory: Sequence, max_length: Any) -> tuple[Any, Any]:
        """(fixed, moving) for step-by-step decoding of at most max_length positions."""
        batch = tf.shape(memory.values)[0]
        first = self._target_embedding(w)(tf.fill([batch, 1], START))
        return w.decoder.start(Sequence(first, memory=memory), max_length)

    def step(self, w: Any, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        """tokens [hypotheses] int32 at position `index` -> (moving, logits [hypotheses, vocabulary])."""
        moving, hidden = self.read(w, fixed, moving, tokens, index)
        return moving, self.logits(w, hidden)

    def read(self, w: Any, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        """As `step`, with the vectors [hypotheses, dim] that the logits are made from."""
        x = Sequence(self._target_embedding(w)(tokens[:, None]), start=index)
        y, moving = w.decoder.step(x, fixed, moving)
        return moving, y.values[:, 0]

    def _target_embedding(self, w: Any) -> Any:
        return w.source_embedding if self.target_embedding is None else w.target_embedding
