"""The best path of a model of frames as sound comes: samples in, tokens out as soon as their first frame is heard."""

from __future__ import annotations

from typing import Any

from seqcfg.component.reserved_ids import PAD
from seqcfg.decoding.ctc_greedy import CTCGreedy
from seqcfg.decoding.member import Member, as_variables
from seqcfg.layers.create import view
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import np, tf
from seqcfg.tasks.listening import Listening, chunk_of, span


class FrameListening:
    """As `Listening`, for a `ctc_greedy` search: the text is that of the whole utterance, whatever the chunks.

    Layers must look back only: `UserError` names one that does not.
    """

    def __init__(
        self, task: Any, declaration: Any, weights: dict[str, Any], settings: Any, chunk_ms: float = 320.0, precision: str = "float32"
    ):
        self._task, self._declaration, self._search, self._precision = task, declaration, settings.search, precision
        self._weights = as_variables(weights)
        self._step, self._lead = span(task.front_end.num_positions)
        self.chunk = chunk_of(task, self._step, chunk_ms)
        self._first, self._next = tf.function(self._start, autograph=False), tf.function(self._path, autograph=False, reduce_retracing=True)
        self._fixed: Any = None
        self.pending: list[int] = []  # nothing that is told is taken back
        self.begin()

    def begin(self) -> None:
        """Starts a new utterance."""
        self._waiting, self._last = np.zeros([0], np.float32), PAD
        self._state: Any = None

    def hear(self, samples: Any) -> list[int]:
        """The tokens that were not told before; samples float32 [any number] in -1 .. 1."""
        self._waiting = np.concatenate([self._waiting, np.asarray(samples, np.float32)])
        told: list[int] = []
        if self._state is None and len(self._waiting) >= self._lead:
            self._fixed, self._state = self._first(tf.constant(self._waiting[None, : self._lead]))
            self._waiting = self._waiting[self._lead :]
        while self._state is not None and len(self._waiting) >= self.chunk:
            told += self._read(self._waiting[: self.chunk])
            self._waiting = self._waiting[self.chunk :]
        return told

    def finish(self) -> list[int]:
        """The rest of the tokens: the utterance is over."""
        told: list[int] = self._read(self._waiting) if self._state is not None else []
        self.begin()
        return told

    def _read(self, samples: Any) -> list[int]:
        padded = np.zeros([1, self.chunk], np.float32)
        padded[0, : len(samples)] = samples
        path, count, self._state = self._next(tf.constant(padded), tf.constant(len(samples)), self._fixed, self._state)
        told: list[int] = []
        for one in path[0, : int(count)].numpy().tolist():
            if one not in (PAD, self._last):
                told.append(one)
            self._last = one
        return told

    def _view(self) -> Any:
        return view(self._declaration, self._weights, dtype=self._precision)

    def _start(self, lead: Any) -> tuple[Any, Any]:
        w = self._view()
        ears, ears_moving = w.front_end.start(Sequence(lead), 1)
        frames, _ = w.front_end.step(Sequence(tf.zeros([1, self.chunk]), start=tf.constant(0)), ears, ears_moving)
        encoder, encoder_moving = w.model.begin(frames, 1)
        return {"front_end": ears, "encoder": encoder}, {"front_end": ears_moving, "encoder": encoder_moving, "index": tf.constant(0)}

    def _path(self, samples: Any, count: Any, fixed: Any, state: Any) -> tuple[Any, Any, Any]:
        """(best ids [1, frames], how many of the frames are real, the state) after a chunk of which `count` samples are real."""
        w = self._view()
        mask = tf.sequence_mask(count, self.chunk)[None]
        x = Sequence(samples, mask, start=state["index"] * self._step)
        frames, ears = w.front_end.step(x, fixed["front_end"], state["front_end"])
        heard, encoder = w.model.hear_on(frames, fixed["encoder"], state["encoder"])
        path = tf.argmax(self._search.allowed(heard.values), axis=-1, output_type=tf.int32)
        real = tf.reduce_sum(tf.cast(heard.mask, tf.int32))
        index = state["index"] + tf.shape(frames.values)[1]
        return path, real, {"front_end": ears, "encoder": encoder, "index": index}


def listening_of(
    task: Any, declaration: Any, weights: dict[str, Any], settings: Any, chunk_ms: float = 320.0, precision: str = "float32",
    partners: list[Member] | None = None,
) -> Any:  # fmt: skip
    """What hears a recipe's models as sound comes; raises UserError where the search needs the whole utterance."""
    if isinstance(settings.search, CTCGreedy) and hasattr(task.model, "hear_on"):
        return FrameListening(task, declaration, weights, settings, chunk_ms, precision)
    return Listening(task, declaration, weights, settings, chunk_ms, precision, partners)
