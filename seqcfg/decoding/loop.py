"""The loop that searches share: a state, a step, and sentences that leave when they are over."""

from __future__ import annotations

import os.path
from typing import Any, ClassVar, NamedTuple

from seqcfg.component.kinds import Search
from seqcfg.decoding.rows import each, grown, like, limits_of, num_sentences, repeat_rows
from seqcfg.decoding.stepper import Hypotheses
from seqcfg.lazy import tf


class State(NamedTuple):
    """Where a search stands after `index` steps, for `batch` sentences of `width` rows each.

    limits, lines [batch] int32: the longest output of each sentence, and its number in the corpus. own: what the search
    keeps, tensors [batch, ...]. fixed, moving: the stepper's, [batch, ...] and [batch * width, ...]. size: positions of the buffers.
    prepared: what layers computed from weights alone, where the steps are traced apart from the start.
    """

    index: Any
    size: Any
    limits: Any
    lines: Any
    own: Any
    fixed: Any
    moving: Any
    prepared: Any = ()


class Looped(Search):
    """A search made of steps. Members define `first`, `advance`, `is_over` and `found`; sentences never see one another.

    `first(batch, size)` is the search's own state, `advance(stepper, state)` one step, `is_over(own)` says which sentences
    [batch] need no further one, `found(own)` is what there is so far; `last(state)` bounds the number of steps.
    """

    num_outputs: ClassVar[Any]
    rows: ClassVar[Any]  # rows per sentence
    streams: ClassVar[bool] = False  # whether it can go on as frames come

    def first(self, batch: Any, size: Any) -> Any:
        raise TypeError(f"{type(self).__name__} defines no first")

    def advance(self, stepper: Any, state: State) -> State:
        raise TypeError(f"{type(self).__name__} defines no advance")

    def is_over(self, own: Any) -> Any:
        raise TypeError(f"{type(self).__name__} defines no is_over")

    def found(self, own: Any) -> Hypotheses:
        raise TypeError(f"{type(self).__name__} defines no found")

    def last(self, state: State) -> Any:
        """The most steps that there can be: a token each, and the end."""
        return state.size + 1

    def settled(self, own: Any, index: int) -> list[int]:
        """The tokens with which the best output of the only sentence will begin, whatever follows, after `index` steps."""
        found = self.found(own)
        rows = zip(found.tokens[0].numpy(), found.lengths[0].numpy(), strict=True)
        return os.path.commonprefix([row[:length].tolist() for row, length in rows])

    def waits(self, own: Any, num_frames: Any) -> Any:
        """Of a search that `streams`: whether a sentence [batch] can go no further with so many frames [batch]."""
        raise TypeError(f"{type(self).__name__} defines no waits")

    def behind(self, own: Any) -> Any:
        """Frames [batch] at the beginning that are no longer looked at."""
        raise TypeError(f"{type(self).__name__} defines no behind")

    def leading(self, own: Any, is_last: Any) -> tuple[Any, Any]:
        """Tokens [time] and their number of the best text so far of the only sentence; when all is over, of the best complete one."""
        raise TypeError(f"{type(self).__name__} defines no leading")

    def resumed(self, own: Any, num_read: Any, num_told: Any) -> Any:
        """The state without so many frames at the beginning and so many tokens [batch] that all texts begin with."""
        raise TypeError(f"{type(self).__name__} defines no resumed")

    def __call__(self, stepper: Any, inputs: Any, max_length: Any, *, limits: Any = None, lines: Any = None) -> Hypotheses:
        """Returns `num_outputs` hypotheses per sentence; a score of -inf marks a place that could not be filled.

        inputs: a dict of tensors [batch, ...]; max_length: tokens without the end id, the size of all buffers; limits
        [batch] int32: where each sentence must end, max_length if left out. A limit above max_length changes no result:
        what is not over when the buffers are full is marked so. lines [batch] int32 numbers the sentences for searches
        that draw lots (0, 1, ... if left out).
        """
        state = begin(self, stepper, inputs, max_length, limits, lines)
        return self.found(follow(self, stepper, state).own)


def begin(search: Looped, stepper: Any, inputs: Any, max_length: Any, limits: Any = None, lines: Any = None) -> State:
    """The state before the first step."""
    fixed, moving = stepper.start(inputs, max_length + 1)
    batch = num_sentences(inputs)
    limits = limits_of(inputs, limits, max_length)
    lines = tf.range(tf.shape(limits)[0]) if lines is None else tf.convert_to_tensor(lines, tf.int32)
    moving = repeat_rows(moving, search.rows)
    return State(tf.constant(0), tf.convert_to_tensor(max_length), limits, lines, search.first(batch, max_length), fixed, moving)


def follow(search: Looped, stepper: Any, state: State, most_alive: Any = 0, most_steps: Any = None) -> State:
    """Steps until at most `most_alive` sentences go on, the buffers are full, or `most_steps` were taken."""
    last = search.last(state)
    if most_steps is not None:
        last = tf.minimum(last, state.index + most_steps)

    def goes_on(index: Any, own: Any, moving: Any) -> Any:
        return (index < last) & (tf.math.count_nonzero(~search.is_over(own), dtype=tf.int32) > most_alive)

    def advance(index: Any, own: Any, moving: Any) -> tuple[Any, Any, Any]:
        new = search.advance(stepper, state._replace(index=index, own=own, moving=moving))
        return index + 1, like(new.own, own), like(new.moving, moving)

    index, own, moving = tf.while_loop(goes_on, advance, (state.index, state.own, state.moving))
    return state._replace(index=index, own=own, moving=moving)


def follow_alive(search: Looped, stepper: Any, state: State, room: Any) -> tuple[Any, Any]:
    """Steps taken, and what the search keeps of all sentences when all are over or the buffers are full.

    Caches have room for `room` positions at first, and grow by as many when they are full: a step reads them whole. When a
    quarter of the sentences is over, the others go on in a smaller batch. What leaves or stays changes no result. (Nothing
    goes through Python, a call of which took 3 ms, as long as three steps of few sentences.)
    """

    def goes_on(state: State, own: Any, places: Any, until: Any) -> Any:
        return (state.index < search.last(state)) & tf.reduce_any(~search.is_over(state.own))

    def stage(state: State, own: Any, places: Any, until: Any) -> Any:
        before = state
        state = follow(search, stepper, state, tf.size(places) * 3 // 4, until - state.index)
        own = put(own, places, state.own)
        is_over, is_full = search.is_over(state.own), state.index >= until
        alive = tf.cast(tf.where(~is_over)[:, 0], tf.int32)
        kept = tf.cond(tf.reduce_any(is_over), lambda: keep(state, search.rows, alive), lambda: state)
        moving = tf.cond(is_full, lambda: grown(kept.moving, room), lambda: kept.moving)
        kept = like(kept._replace(moving=moving), before)
        return kept, own, tf.gather(places, alive), tf.where(is_full, until + room, until)

    places = tf.range(tf.shape(state.limits)[0])
    state, own, _, _ = tf.while_loop(goes_on, stage, (state, state.own, places, room))
    return state.index, own


def follow_by_quarters(search: Looped, stepper: Any, state: State) -> tuple[Any, Any]:
    """As `follow_alive` for XLA, where shapes are fixed: caches as they are, batches that become a quarter, and a quarter again."""
    own, places = state.own, tf.range(tf.shape(state.limits)[0])
    for is_last in (False, False, True):
        most = 0 if is_last else tf.maximum(tf.size(places) // 4, 1)
        state = follow(search, stepper, state, most)
        own = put(own, places, state.own)
        if not is_last:
            alive = tf.argsort(tf.cast(search.is_over(state.own), tf.int32), stable=True)[:most]
            state, places = keep(state, search.rows, alive), tf.gather(places, alive)
    return state.index, own


def put(own: Any, places: Any, part: Any) -> Any:
    """What a search keeps, with `part` at these sentences."""
    return tf.nest.map_structure(lambda whole, some: tf.tensor_scatter_nd_update(whole, places[:, None], some), own, part)


def keep(state: State, width: int, sentences: Any) -> State:
    """The state of these sentences alone, a vector of row numbers."""
    rows = tf.reshape(sentences[:, None] * width + tf.range(width), [-1])

    def take(part: Any, places: Any) -> Any:
        return tf.nest.map_structure(lambda tensor: tf.gather(tensor, places), part)

    limits, lines, own, fixed = take((state.limits, state.lines, state.own, state.fixed), sentences)
    moving = each(state.moving, lambda tensor: tf.gather(tensor, rows), lambda buffer: tf.gather(buffer, sentences))
    return state._replace(limits=limits, lines=lines, own=own, fixed=fixed, moving=moving)
