"""When each token was said: the most probable alignment of known tokens to frames."""

from __future__ import annotations

from typing import Any, NamedTuple

from seqcfg.component.reserved_ids import PAD
from seqcfg.decoding.member import Member, as_variables
from seqcfg.errors import UserError
from seqcfg.lazy import np, tf


class Timed(NamedTuple):
    """A token, and when it was said: seconds from the beginning of the sound."""

    token: str
    start: float
    end: float


class FrameAligner:
    """Forced alignment by a model that scores frames (CTC; Kürzinger et al. 2020, arXiv:2007.09127); the arguments are those of `Decoder`.

    Raises UserError where the model offers no scores of frames.
    """

    def __init__(
        self, task: Any, declaration: Any, weights: dict[str, Any], codecs: dict[str, Any], settings: Any, precision: str = "float32"
    ):
        if "frames" not in task.offers():
            raise UserError("the model gives no scores of frames, to which outputs could be aligned", hint="leave out --alignments")
        self._task, self._codecs = task, codecs
        self._member = Member(task, declaration, as_variables(weights), codecs, precision)
        self._traced: Any = None

    def scores(self, sound: Any) -> Any:
        """Log-probabilities float32 [frames, vocabulary] of a sound [samples]."""
        inputs = {name: tf.constant(value) for name, value in self._task.encode_texts(self._codecs, [sound]).items()}
        if self._traced is None:
            specs = {name: tf.TensorSpec([None] * len(value.shape), value.dtype) for name, value in inputs.items()}
            self._traced = tf.function(self._frames, input_signature=[specs], autograph=False)
        fixed = self._traced(inputs)
        return fixed["frames"][0, : int(fixed["num_frames"][0])].numpy()

    def times(self, sound: Any, ids: list[int]) -> list[Timed]:
        """When each of the ids was said; [] where the frames are too few for them."""
        scores = self.scores(sound)
        tokens, seconds = self._task.target_codec(self._codecs).tokens(ids), len(sound) / self._task.sample_rate_hz
        step = seconds / max(1, len(scores))
        return [
            Timed(token, round(first * step, 3), round(last * step, 3))
            for token, (first, last) in zip(tokens, best_alignment(scores, ids), strict=False)
        ]

    def _frames(self, inputs: dict[str, Any]) -> Any:
        w = self._member.view()
        return self._task.offered(w, "frames").start(inputs, 0)[0]


def best_alignment(scores: Any, ids: list[int]) -> list[tuple[int, int]]:
    """(first frame, frame behind the last) of each id on the most probable path that writes ids; [] if there is none.

    scores [frames, vocabulary] are log-probabilities, the blank's under id 0. States are blank, id, blank, id ... blank
    (Graves et al. 2006, figure 3); a blank between two different ids may be passed over.
    """
    states = np.full([2 * len(ids) + 1], PAD)
    states[1::2] = ids
    can_skip = np.zeros(len(states), bool)
    can_skip[3::2] = states[3::2] != states[1:-2:2]
    best = np.full(len(states), -np.inf)
    best[:2] = scores[0, states[:2]] if len(scores) else -np.inf
    came = np.zeros([len(scores), len(states)], np.int8)
    for frame in range(1, len(scores)):
        one, two = np.concatenate([[-np.inf], best[:-1]]), np.concatenate([[-np.inf, -np.inf], best[:-2]])[: len(states)]
        choices = np.stack([best, one, np.where(can_skip, two, -np.inf)])
        came[frame] = choices.argmax(0)
        best = choices.max(0) + scores[frame, states]
    state = len(states) - 1 - int(len(ids) > 0 and best[-2] > best[-1])
    if not ids or not np.isfinite(best[state]):
        return []
    path = np.zeros(len(scores), np.int64)
    for frame in range(len(scores) - 1, -1, -1):
        path[frame] = state
        state -= int(came[frame, state])
    places = [np.flatnonzero(path == 2 * number + 1) for number in range(len(ids))]
    return [(int(place[0]), int(place[-1]) + 1) for place in places]


def words_of(times: list[Timed]) -> list[Timed]:
    """Tokens joined to the words they make: white space in tokens, or SentencePiece's mark, begins another."""
    words: list[Timed] = []
    is_open = False
    for token, start, end in times:
        begins = token[:1].isspace() or token.startswith("\u2581")
        text = token.replace("\u2581", " ")
        for number, part in enumerate(text.split()):
            if is_open and not begins and number == 0:
                words[-1] = Timed(words[-1].token + part, words[-1].start, end)
            else:
                words.append(Timed(part, start, end))
        is_open = bool(text) and not text[-1:].isspace()
    return words
