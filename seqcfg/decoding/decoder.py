"""Decoder: lines of text in, their outputs in the same order out, whatever happens to batches in between."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from seqcfg.decoding.engine import Engine, rung
from seqcfg.decoding.inputs import batch_of, cut
from seqcfg.errors import UserError
from seqcfg.lazy import np, tf

LINES_AT_ONCE = 8192  # lines that are encoded and sorted together, which bounds memory
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
        self._task, self._codecs, self._settings = task, codecs, settings
        self.weights = {path: _as_variable(path, value) for path, value in weights.items()}
        self._engine = Engine(settings.search, task.stepper, declaration, self.weights, precision, settings.xla)
        self.num_cut = 0

    @property
    def ways(self) -> list[dict[str, Any]]:
        """Which shapes were compiled and why: see `Ways.table`."""
        return self._engine.ways.table()

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
            rows = self._settings.batch_size
            lines = first + np.asarray(numbers, np.int64)
            done = 0
            for is_short in (True, False):
                unfinished = []
                for start in range(0, len(order), rows):
                    chosen = order[start : start + rows]
                    found = self._search(inputs, lengths, chosen, lines, is_short)
                    is_over = found.is_over
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

    def _search(self, inputs: dict[str, Any], lengths: Any, chosen: Any, lines: Any, is_short: bool) -> Any:
        """Hypotheses of the chosen examples as numpy arrays.

        Short buffers suffice for most and make each step cheaper; what is not over in them is searched again in long ones.
        """
        filled = np.concatenate([chosen, np.repeat(chosen[:1], rung(len(chosen)) - len(chosen))])  # few numbers of rows
        time = rounded(int(lengths[filled].max()))
        limit, most = self._settings.length_limit, self._settings.max_length
        limits = np.array([limit.longest(int(length), most) for length in lengths[filled]], np.int32)
        size = limit.longest(time, most)
        if is_short:
            size = min(size, time + time // 4 + 8)
        found = self._engine(batch_of(inputs, filled, time), limits, (lines[filled] & 0x7FFFFFFF).astype(np.int32), size)
        return type(found)(*(part[: len(chosen)] for part in found))

    def _results(self, hypotheses: Any, is_over: Any) -> Iterator[Decoded]:
        """The outputs of the rows that are over."""
        hypotheses = type(hypotheses)(*(part[is_over] for part in hypotheses))
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


def _as_variable(path: str, value: Any) -> Any:
    return value if isinstance(value, tf.Variable) else tf.Variable(value, trainable=False, name=path.replace("/", "."))
