"""Recognition as sound comes: samples in, the tokens that are certain out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from seqcfg.decoding.composing import fused
from seqcfg.decoding.loop import State
from seqcfg.decoding.member import Member, as_variables
from seqcfg.decoding.rows import like
from seqcfg.errors import UserError
from seqcfg.layers.create import view
from seqcfg.layers.sequence import Sequence
from seqcfg.lazy import np, tf


class Hearing(NamedTuple):
    """Where a stream stands: states of the front end and the encoder, the next frame's index, the search, frames it still looks at."""

    front_end: Any
    encoder: Any
    index: Any
    own: Any
    moving: Any
    frames: Any
    num_frames: Any


class Listening:
    """One utterance, heard and written as it comes; the text is that of the whole utterance, whatever the chunks.

    Every chunk has the same number of samples, so each of the graphs is traced once. Layers must look back only: `UserError` names one
    that does not. weights {path: array or variable}; settings: the recipe's decoding section, whose search must stream; partners: the
    language model that it names.
    """

    def __init__(
        self, task: Any, declaration: Any, weights: dict[str, Any], settings: Any, chunk_ms: float = 320.0, precision: str = "float32",
        partners: list[Member] | None = None,
    ):  # fmt: skip
        search = settings.search
        if not getattr(search, "streams", False) or not hasattr(task.model, "hear_on"):
            raise UserError(
                f"a {search.type} search over a {task.model.type} model needs the whole utterance",
                hint="take ctc with ctc_greedy or ctc_beam, a transducer with transducer_greedy or transducer_beam, or do not stream",
            )
        if partners is None and settings.has_partners:
            raise UserError("the other runs that decoding names cannot be used here", hint="use 'seqcfg decode'")
        self._priors = [one._replace(weights=as_variables(one.weights)) for one in partners or []]
        self._task, self._declaration, self._search, self._precision = task, declaration, search, precision
        self._weights, self._size = as_variables(weights), settings.max_length
        self._step, self._lead = span(task.front_end.num_positions)
        self.chunk = chunk_of(task, self._step, chunk_ms)
        self._begin, self._chunk = (
            tf.function(self._first, autograph=False),
            tf.function(self._hear, autograph=False, reduce_retracing=True),
        )
        self._fixed: Any = None
        self.begin()

    def begin(self) -> None:
        """Starts a new utterance."""
        self._waiting = np.zeros([0], np.float32)
        self._state: Hearing | None = None
        self.pending: list[int] = []  # what the best text has beyond what is certain

    def hear(self, samples: Any) -> list[int]:
        """The tokens that are certain by now and were not before; samples float32 [any number] in -1 .. 1."""
        self._waiting = np.concatenate([self._waiting, np.asarray(samples, np.float32)])
        told: list[int] = []
        if self._state is None and len(self._waiting) >= self._lead:
            self._start(self._waiting[: self._lead])
            self._waiting = self._waiting[self._lead :]
        while self._state is not None and len(self._waiting) >= self.chunk:
            told += self._read(self._waiting[: self.chunk], is_last=False)
            self._waiting = self._waiting[self.chunk :]
        return told

    def finish(self) -> list[int]:
        """The rest of the tokens: the utterance is over."""
        if self._state is None:  # too short for one frame
            self._start(np.zeros([self._lead], np.float32))
            self._waiting = self._waiting[:0]
        told = self._read(self._waiting, is_last=True)
        self.begin()
        return told

    def _start(self, lead: Any) -> None:
        self._fixed, self._state = self._begin(tf.constant(lead[None]))

    def _read(self, samples: Any, is_last: bool) -> list[int]:
        """One chunk, or what is left of one at the end."""
        padded = np.zeros([1, self.chunk], np.float32)
        padded[0, : len(samples)] = samples
        state, best, length = self._chunk(tf.constant(padded), tf.constant(len(samples)), self._fixed, self._state, tf.constant(is_last))
        text = best[: int(length)].numpy().tolist()
        if is_last:
            return text
        told = self._search.settled(state.own, 0)
        self.pending = text[len(told) :]
        frames = self._search.behind(state.own)
        own = self._search.resumed(state.own, frames, tf.constant([len(told)]))
        self._state = state._replace(own=own, frames=state.frames[:, int(frames[0]) :], num_frames=state.num_frames - frames)
        return told

    def _view(self) -> Any:
        return view(self._declaration, self._weights, dtype=self._precision)

    def _first(self, lead: Any) -> tuple[Any, Hearing]:
        w = self._view()
        ears, ears_moving = w.front_end.start(Sequence(lead), 1)
        frames, _ = w.front_end.step(Sequence(tf.zeros([1, self.chunk]), start=tf.constant(0)), ears, ears_moving)
        encoder, encoder_moving = w.model.begin(frames, self._size)
        heard, _ = w.model.hear_on(frames, encoder, encoder_moving)
        nothing = Sequence(heard.values[:, :0], tf.zeros([1, 0], tf.bool))
        prompts = {f"{place}.{name}": value for place, one in enumerate(self._priors, 1) for name, value in one.encoded([""]).items()}
        fixed, moving = self._scorer(w).start({"heard": nothing} | prompts, self._size)
        moving = tf.nest.map_structure(lambda part: tf.repeat(part, self._search.rows, axis=0), moving)
        own = self._search.first(1, self._size)
        state = Hearing(ears_moving, encoder_moving, tf.constant(0), own, moving, nothing.values, tf.constant([0]))
        return {"front_end": ears, "encoder": encoder, "lattice": fixed}, state

    def _hear(self, samples: Any, count: Any, fixed: Any, state: Hearing, is_last: Any) -> tuple[Hearing, Any, Any]:
        """The state after a chunk of which `count` samples are real, and the best text's tokens and their number."""
        w = self._view()
        mask = tf.sequence_mask(count, self.chunk)[None]
        x = Sequence(samples, mask, start=state.index * self._step)
        frames, ears = w.front_end.step(x, fixed["front_end"], state.front_end)
        heard, encoder = w.model.hear_on(frames, fixed["encoder"], state.encoder)
        real = tf.reduce_sum(tf.cast(heard.mask, tf.int32), axis=1)
        kept = tf.concat([state.frames[:, : state.num_frames[0]], heard.values], 1)
        lattice_fixed = fixed["lattice"] | {"frames": kept, "num_frames": state.num_frames + real}
        own, moving = self._search_on(self._scorer(w), lattice_fixed, state, is_last)
        index = state.index + tf.shape(frames.values)[1]
        new = Hearing(ears, encoder, index, own, moving, kept, state.num_frames + real)
        return new, *self._search.leading(own, is_last)

    def _scorer(self, w: Any) -> Any:
        """What the search works with, language models included."""
        needs, heard = self._search.needs, Heard(w.model.scorer(self._search.needs))
        return fused(needs, heard, [(one.task.stepper(one.view()), one.weight) for one in self._priors])

    def _search_on(self, lattice: Any, fixed: Any, state: Hearing, is_last: Any) -> tuple[Any, Any]:
        """The search's own state and the lattice's, as far as the frames reach."""
        search, num_frames = self._search, fixed["num_frames"]
        start = State(tf.constant(0), tf.constant(self._size), tf.constant([self._size]), tf.constant([0]), state.own, fixed, state.moving)
        last = search.last(start)

        def goes_on(index: Any, own: Any, moving: Any) -> Any:
            can = tf.where(is_last, ~search.is_over(own)[0], ~search.waits(own, num_frames)[0])
            return can & (index < last)

        def advance(index: Any, own: Any, moving: Any) -> tuple[Any, Any, Any]:
            new = search.advance(lattice, start._replace(index=index, own=own, moving=moving))
            return index + 1, like(new.own, own), like(new.moving, moving)

        _, own, moving = tf.while_loop(goes_on, advance, (start.index, start.own, start.moving))
        return own, moving


class Heard:
    """A model's scorer whose `start` takes what was heard under that name."""

    def __init__(self, scorer: Any):
        self._scorer = scorer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scorer, name)

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]:
        return self._scorer.start(inputs["heard"], max_length)


def chunk_of(task: Any, step: int, milliseconds: float) -> int:
    """Samples of a chunk near the milliseconds asked for, of which every layer can take its part; `step` make one frame."""
    whole = math.lcm(step * task.model.encoder.step_positions(), task.front_end.step_positions())
    return max(1, round(milliseconds * task.sample_rate_hz / 1000 / whole)) * whole


def span(num_positions: Callable[[int], int]) -> tuple[int, int]:
    """(step, lead): after `lead` inputs, every `step` of them make one more position."""
    first = next(length for length in range(1, 10**6) if num_positions(length) > 0)
    second = next(length for length in range(first, 10**6) if num_positions(length) > 1)
    return second - first, first - (second - first)
