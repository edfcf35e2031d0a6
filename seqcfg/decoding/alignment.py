"""Which source tokens an output token looked at: attention of known outputs, and links made of it."""

from __future__ import annotations

from typing import Any

from seqcfg.decoding.inputs import batch_of, batches_by_length, cut, timed
from seqcfg.decoding.scoring import MAX_TOKENS
from seqcfg.errors import UserError
from seqcfg.layers.create import view
from seqcfg.lazy import np, tf


class Aligner:
    """Attention to the source while outputs are forced, all positions at once; the arguments are those of `Decoder`.

    It is the mean over the heads of the last layer but one that attends to a memory (of the only one, where there is one):
    among single layers that one agrees best with alignments made by people (Garg et al. 2019, arXiv:1909.02074).
    """

    def __init__(
        self, task: Any, declaration: Any, weights: dict[str, Any], codecs: dict[str, Any], settings: Any, precision: str = "float32"
    ):
        self._task, self._declaration, self._codecs, self._settings, self._precision = task, declaration, codecs, settings, precision
        self._weights = {path: one if isinstance(one, tf.Variable) else tf.convert_to_tensor(one) for path, one in weights.items()}
        self._traced: Any = None

    def attention(self, sources: list[str], ids: list[list[int]]) -> list[Any]:
        """Per pair float32 [target tokens, source tokens], both without the end id; rows sum to at most 1.

        ids are those of the outputs, without the end id. Raises UserError where the model attends to no source.
        """
        found: list[Any] = [np.zeros([0, 0], np.float32)] * len(ids)
        places = [place for place, row in enumerate(ids) if row]
        if not places:
            return found
        inputs, lengths, _ = cut(
            self._task.encode_texts(self._codecs, [sources[place] for place in places]), self._settings.max_source_length
        )
        sizes = np.array([len(ids[place]) for place in places], np.int32)
        for chosen in batches_by_length(np.maximum(lengths, sizes + 1), MAX_TOKENS):
            rows = np.zeros([len(chosen), int(sizes[chosen].max())], np.int32)
            for row, one in zip(rows, chosen, strict=True):
                row[: sizes[one]] = ids[places[one]]
            attention = self._attention(batch_of(inputs, chosen, int(lengths[chosen].max())), rows, sizes[chosen])
            for one, matrix in zip(chosen, attention, strict=True):
                found[places[one]] = matrix[: sizes[one], : lengths[one] - 1]  # the source's end id is no token of it
        return found

    def links(self, sources: list[str], ids: list[list[list[int]]]) -> list[list[list[tuple[int, int]]]]:
        """Per line and output the pairs (source position, target position): each output token's most attended source token."""
        flat = [(source, row) for source, outputs in zip(sources, ids, strict=True) for row in outputs]
        matrices = iter(self.attention([source for source, _ in flat], [row for _, row in flat]))
        return [[links_of(next(matrices)) for _ in outputs] for outputs in ids]

    def _attention(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        if self._traced is None:
            specs = {name: tf.TensorSpec([None] * value.ndim, value.dtype) for name, value in inputs.items()}
            signature = [specs, tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)]
            self._traced = tf.function(self._forced, input_signature=signature, autograph=False)
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        return self._traced(tensors, tf.constant(ids), tf.constant(lengths)).numpy()

    def _forced(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any:
        """[batch, target, source] of the layer that is looked at."""
        if len(timed(inputs)) != 1 or "prompt" in inputs:
            raise UserError(f"outputs of the task {self._task.type} have no source to be aligned with", hint="leave out --alignments")
        seen: dict[str, Any] = {}
        w = view(self._declaration, self._weights, dtype=self._precision, watched=seen)
        self._task.stepper(w).logits(inputs, ids, lengths)
        if not seen:
            raise UserError("no layer of the model attends to a memory, so outputs cannot be aligned", hint="leave out --alignments")
        layers = list(seen.values())  # in the order in which they ran
        return tf.reduce_mean(tf.cast(layers[max(0, len(layers) - 2)], tf.float32), axis=1)


def links_of(attention: Any) -> list[tuple[int, int]]:
    """(source, target) of the largest entry of each row of [target, source]; none where there is no source."""
    if not attention.size:
        return []
    return [(int(source), target) for target, source in enumerate(attention.argmax(axis=1))]
