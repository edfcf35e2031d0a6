"""Decoder: lines of text in, their outputs in the same order out, whatever happens to batches in between."""

from __future__ import annotations

import collections
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from seqcfg.decoding.best_tokens import FOR_XLA
from seqcfg.decoding.inputs import batch_of, cut
from seqcfg.errors import UserError
from seqcfg.layers.create import view
from seqcfg.lazy import np, tf

LINES_AT_ONCE = 8192  # lines that are encoded and sorted together, which bounds memory
BATCHES_WORTH_COMPILING = 32  # of one shape; XLA takes seconds to compile and saves up to nine tenths of a batch's time
FINE_TIMES = 48  # source lengths are rounded up to multiples of 8 until here, of 32 after: few shapes, few compilations


class Decoded(NamedTuple):
    """Outputs of one line, best first, their ids without the end id; an empty line has one empty output."""

    texts: list[str]
    scores: list[float]
    log_probabilities: list[float]
    ids: list[list[int]]

    @property
    def text(self) -> str:
        return self.texts[0]


EMPTY = Decoded([""], [0.0], [0.0], [[]])


class Decoder:
    """Runs a task's search over texts with given weights.

    weights {path: array or variable}; codecs {tokenizer name: Codec}; settings is the recipe's decoding section.
    `weights` are then variables; `num_cut` counts lines that were longer than `max_source_length`.
    """

    def __init__(
        self, task: Any, declaration: Any, weights: dict[str, Any], codecs: dict[str, Any], settings: Any, precision: str = "float32"
    ):
        self._task, self._declaration, self._codecs, self._settings, self._precision = task, declaration, codecs, settings, precision
        self.weights = {path: _as_variable(path, value) for path, value in weights.items()}
        self._traced: dict[bool, Any] = {}  # by whether XLA compiles it
        self._batches: collections.Counter[tuple[int, int, bool]] = collections.Counter()  # by rows, time and buffer
        self.num_cut = 0

    def decode(self, texts: list[str], progress: Callable[[int], None] | None = None, first: int = 0) -> list[Decoded]:
        """One result per text, in order. `progress` is told how many texts are done. Raises UserError if the model gives NaN.

        `first` is how many texts of the same corpus went before, which `progress` counts and on which draws depend.
        """
        return list(self.stream(texts, progress, first))

    def stream(self, texts: list[str], progress: Callable[[int], None] | None = None, first: int = 0) -> Iterator[Decoded]:
        """As `decode`, a few thousand lines at a time."""
        for start in range(0, len(texts), LINES_AT_ONCE):
            yield from self._decode_some(texts[start : start + LINES_AT_ONCE], first + start, progress)

    def _decode_some(self, texts: list[str], first: int, progress: Callable[[int], None] | None) -> list[Decoded]:
        numbers = [number for number, text in enumerate(texts) if text.strip()]
        results: list[Decoded] = [EMPTY] * len(texts)
        if numbers:
            inputs, lengths = self._encode([texts[number] for number in numbers])
            order = np.argsort(-lengths, kind="stable")
            rows = _batch_rows(len(numbers), self._settings.batch_size)
            lines = first + np.asarray(numbers, np.int64)
            done = 0
            for is_short in (True, False):
                unfinished = []
                self._batches.update((rows, rounded(int(lengths[order[start]])), is_short) for start in range(0, len(order), rows))
                for start in range(0, len(order), rows):
                    chosen = order[start : start + rows]
                    found = self._search(inputs, lengths, chosen, rows, lines, is_short)
                    is_over = found.is_over[: len(chosen)]
                    for place, result in zip(chosen[is_over], self._results(found, is_over), strict=True):
                        results[numbers[place]] = result
                    unfinished += chosen[~is_over].tolist()
                    done += int(is_over.sum())
                    if progress:
                        progress(first + done)
                order = np.asarray(unfinished, np.int64)
        if progress:
            progress(first + len(texts))
        return results

    def _encode(self, texts: list[str]) -> tuple[dict[str, Any], Any]:
        """The task's inputs, too long ones cut, and the length of each line in tokens."""
        inputs, lengths, num_cut = cut(self._task.encode_texts(self._codecs, texts), self._settings.max_source_length)
        self.num_cut += num_cut
        return inputs, lengths

    def _search(self, inputs: dict[str, Any], lengths: Any, chosen: Any, rows: int, lines: Any, is_short: bool) -> Any:
        """Hypotheses of the chosen examples, filled up to `rows` with copies of the first of them, as numpy arrays.

        Short buffers suffice for most and make each step cheaper; what is not over in them is searched again in long ones.
        """
        chosen = np.concatenate([chosen, np.repeat(chosen[:1], rows - len(chosen))])
        time = rounded(int(lengths[chosen].max()))
        batch = batch_of(inputs, chosen, time)
        limit, most = self._settings.length_limit, self._settings.max_length
        limits = np.array([limit.longest(int(length), most) for length in lengths[chosen]], np.int32)
        buffer = limit.longest(time, most)
        if is_short:
            buffer = min(buffer, time + time // 4 + 8)
        is_worthwhile = self._batches[rows, time, is_short] >= BATCHES_WORTH_COMPILING
        xla = self._settings.xla == "always" or (self._settings.xla == "auto" and is_worthwhile)
        if xla not in self._traced:
            self._traced[xla] = self._trace(batch, xla)
        tensors = {name: tf.constant(value) for name, value in batch.items()}
        result = self._traced[xla](tensors, tf.constant(limits), tf.constant(lines[chosen] & 0x7FFFFFFF, tf.int32), tf.constant(buffer))
        return type(result)(*(part.numpy() for part in result))

    def _trace(self, batch: dict[str, Any], xla: bool) -> Any:
        def search(inputs: dict[str, Any], limits: Any, lines: Any, max_length: Any) -> Any:
            w = view(self._declaration, self.weights, dtype=self._precision, for_xla=xla)
            before = FOR_XLA.set(xla)
            try:
                return self._settings.search(self._task.stepper(w), inputs, max_length, limits=limits, lines=lines)
            finally:
                FOR_XLA.reset(before)

        specs = {name: tf.TensorSpec([None] * value.ndim, value.dtype) for name, value in batch.items()}
        vector = tf.TensorSpec([None], tf.int32)
        signature = [specs, vector, vector, tf.TensorSpec([], tf.int32)]
        return tf.function(search, input_signature=signature, autograph=False, jit_compile=xla)

    def _results(self, hypotheses: Any, is_over: Any) -> Iterator[Decoded]:
        """The outputs of the rows that are over; rows past the end of `is_over` are fillers."""
        hypotheses = type(hypotheses)(*(part[: len(is_over)][is_over] for part in hypotheses))
        if np.isnan(hypotheses.scores).any() or (hypotheses.scores[:, 0] == -math.inf).any():
            raise UserError(
                "the model gives no finite probabilities", hint="its weights may have overflowed in training; try an earlier checkpoint"
            )
        ids, sizes = [], []
        for row in range(len(hypotheses.scores)):
            found = [place for place, score in enumerate(hypotheses.scores[row]) if score > -math.inf]
            ids += [hypotheses.tokens[row, place, : hypotheses.lengths[row, place]].tolist() for place in found]
            sizes.append(len(found))
        texts = self._task.decode_ids(self._codecs, ids)
        start = 0
        for row, size in enumerate(sizes):
            scores, totals = hypotheses.scores[row, :size].tolist(), hypotheses.log_probabilities[row, :size].tolist()
            yield Decoded(texts[start : start + size], scores, totals, ids[start : start + size])
            start += size


def rounded(time: int) -> int:
    """A length that many batches share, at least `time`."""
    multiple = 8 if time <= FINE_TIMES else 32
    return max(1, -(-time // multiple)) * multiple


def _batch_rows(count: int, batch_size: int) -> int:
    """Rows of every batch of one call: the batch size, or the next power of two when there are fewer lines."""
    return min(batch_size, 1 << (count - 1).bit_length())


def _as_variable(path: str, value: Any) -> Any:
    return value if isinstance(value, tf.Variable) else tf.Variable(value, trainable=False, name=path.replace("/", "."))
