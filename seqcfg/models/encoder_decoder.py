"""Encoder-decoder: one stack reads text or frames, another writes text while attending to what was read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from seqcfg.component.component import param
from seqcfg.component.kinds import Layer, Loss, Model
from seqcfg.component.reserved_ids import START
from seqcfg.errors import UserError
from seqcfg.layers.sequence import UNPACKED, Packing, Sequence
from seqcfg.lazy import tf
from seqcfg.losses.cross_entropy import CrossEntropy
from seqcfg.losses.loss_sum import LossSum
from seqcfg.losses.targets import targets, token_loss
from seqcfg.models.minimum_word_errors import MinimumWordErrors
from seqcfg.models.scheduled_sampling import ScheduledSampling
from seqcfg.models.speller import Speller
from seqcfg.models.vocabulary_output import (
    declare_output,
    output_kept,
    output_logits,
    output_operands,
    output_weights,
    prepare_output,
    table_shape,
)


class EncoderDecoder(Model, type="encoder_decoder"):
    """p(target | source) = prod_t p(y_t | y_<t, encoder(source)) (arXiv:1409.3215; as Transformer arXiv:1706.03762).

    The source is text, whose ids `source_embedding` makes vectors of, or frames, which the encoder reads as they come (with a
    recurrent decoder Listen, Attend and Spell, arXiv:1508.01211). Where there are two embeddings, or one and an output, the other
    may be left out: `target_embedding` is the source's then and `output` is the target embedding's transpose; with both left
    out one matrix is used three times (arXiv:1608.05859).
    """

    offers: ClassVar[tuple[str, ...]] = ("tokens", "attention")

    source_embedding: Layer | None = param(default=None, doc="Source ids to vectors; null where the source are frames.")
    target_embedding: Layer | None = param(default=None, doc="Target ids to vectors; null uses the source embedding for both sides.")
    encoder: Layer = param(doc="Layers over the source.")
    decoder: Layer = param(doc="Layers over the target; their attention may read the encoder's output as memory.")
    output: Layer | None = param(default=None, doc="Dense layer to the logits; null uses the target embedding transposed.")
    loss: Loss | None = param(
        default=None, is_later=True, doc="Compares predicted tokens with the transcript's, in recognition; null for plain cross-entropy."
    )
    scheduled_sampling: ScheduledSampling | None = param(
        default=None, is_later=True, doc="Feeds the decoder tokens of its own in training; null for the true ones alone."
    )

    minimum_word_errors: MinimumWordErrors | None = param(
        default=None, is_later=True, doc="Trains on the errors of the outputs that a beam finds, in recognition; null for the tokens alone."
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.source_embedding is None and self.target_embedding is None:
            yield "target_embedding", "the decoder has no embedding", "give one, or source_embedding for both sides"

    @property
    def reads_text(self) -> bool:
        return self.source_embedding is not None

    def declare(self, d: Any, source: Any, target_vocabulary: int) -> int:
        """Returns the width of the decoder's output; `source` is the size of a vocabulary, or the width of frames."""
        width = source if self.source_embedding is None else d.child("source_embedding", self.source_embedding, source)
        memory_width = d.child("encoder", self.encoder, width)
        if not isinstance(memory_width, int):
            hint = "end it with `merge_features`"
            raise d.misfit(f"the encoder gives the width {memory_width}, and one feature axis is needed", hint, "encoder")
        if self.target_embedding is not None:
            width = d.child("target_embedding", self.target_embedding, target_vocabulary)
        elif source != target_vocabulary:
            hint = "give target_embedding, or one tokenizer to both sides"
            raise d.misfit(f"one embedding cannot serve vocabularies of {source} and {target_vocabulary}", hint, "target_embedding")
        d.memory_width = memory_width
        hidden = d.child("decoder", self.decoder, width)
        declare_output(d, self.output, hidden, width, self.target_embedding or self.source_embedding)  # type: ignore[arg-type]
        return hidden

    def kept(self, d: Any, at: Any) -> float:
        memory = at.rows * at.memory * d.children["encoder"].features_out
        return memory + output_kept(d, self._target_name, at.inputs)

    def at_work(self, d: Any, at: Any, loss: Any) -> float:
        return (loss or self.loss or CrossEntropy()).at_work(at.inputs, *table_shape(d, self._target_name))

    @property
    def _target_name(self) -> str:
        return "source_embedding" if self.target_embedding is None else "target_embedding"

    def hear(self, w: Any, x: Sequence) -> Sequence:
        """Frames -> memory, values [batch, time, dim]."""
        return w.encoder(x)

    def losses(self, w: Any, x: Sequence, ids: Any, lengths: Any) -> dict[str, LossSum]:
        """{"loss": sum over the tokens ids [batch, time] of what is said in frames, the end id inside lengths [batch]}."""
        return {"loss": w.spelling_loss(w.hear(x), ids, lengths)}

    def spelling_loss(self, w: Any, memory: Sequence, ids: Any, lengths: Any) -> LossSum:
        """Of the tokens ids [batch, time] given what was heard, the end id inside lengths [batch]."""
        inputs, labels, lengths = targets(ids, lengths)
        hidden = w.hidden(memory, inputs, lengths)
        hidden, *output = w.output_operands(hidden)
        plain = token_loss(self.loss or CrossEntropy(), hidden, output, labels, lengths)
        if self.minimum_word_errors is None or not w.training:
            return plain
        return self.minimum_word_errors(w, memory, ids, lengths, plain)

    def scorer(self, w: Any, what: str) -> Speller:
        """The stepper over a memory."""
        return Speller(w)

    def encode(self, w: Any, ids: Any, lengths: Any, packing: Packing = UNPACKED) -> Sequence:
        """ids [batch, source_time] int32, lengths [batch] -> memory, values [batch, time, dim]."""
        mask = tf.sequence_mask(lengths, tf.shape(ids)[1])
        return w.encoder(Sequence(w.source_embedding(ids), mask, segments=packing.segments, positions=packing.positions))

    def hidden(self, w: Any, memory: Sequence, ids: Any, lengths: Any, packing: Packing = UNPACKED) -> Any:
        """Decoder outputs [batch, target_time, dim] for target ids [batch, target_time] shifted right by the caller."""
        if self.scheduled_sampling is not None and w.training:
            if packing.segments is not None:
                hint = "set data.batching.packing: false"
                raise UserError("scheduled sampling cannot run through rows that hold several texts", hint=hint)
            return self.scheduled_sampling.hidden(w, memory, ids)
        return w.forced(memory, ids, lengths, packing)

    def forced(self, w: Any, memory: Sequence, ids: Any, lengths: Any, packing: Packing = UNPACKED) -> Any:
        """As `hidden`, with the given ids at all positions whatever training does."""
        mask = tf.sequence_mask(lengths, tf.shape(ids)[1])
        values = self._target_embedding(w)(ids)
        return w.decoder(Sequence(values, mask, segments=packing.segments, positions=packing.positions, memory=memory)).values

    def output_weights(self, w: Any) -> tuple[Any, Any]:
        """(table [vocabulary, dim], bias [vocabulary] or None) such that logits = hidden table^T + bias."""
        return output_weights(w, self._target_embedding(w))

    def output_operands(self, w: Any, hidden: Any) -> tuple[Any, Any, Any]:
        """hidden [batch, time, dim] -> (hidden, table, bias) as losses take them; rounded where the model is."""
        return output_operands(w, self._target_embedding(w), hidden)

    def logits(self, w: Any, hidden: Any, ids: Any = None) -> Any:
        """hidden [..., dim] -> logits [..., vocabulary] float32; or of these ids [size] alone [..., size]."""
        return output_logits(w, self._target_embedding(w), hidden, ids)

    def start(self, w: Any, memory: Sequence, max_length: Any) -> tuple[Any, Any]:
        """(fixed, moving) for step-by-step decoding of at most max_length positions."""
        prepare_output(w, self._target_embedding(w))
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
