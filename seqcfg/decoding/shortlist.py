"""Vocabulary shortlists: each sentence chooses among the tokens that its source makes likely, not among all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.reach import leading_out
from seqcfg.component.reserved_ids import NUM_RESERVED
from seqcfg.component.types import NonNegativeInt, PositiveInt, Text
from seqcfg.decoding.lexicon import NULL, Lexicon
from seqcfg.errors import UserError
from seqcfg.lazy import np, tf

IDS, OWN = "shortlist", "shortlist_own"  # inputs: [rows, size], the ids of a batch (the same in each row), and which of them a row has
STEP = 256  # sizes are multiples of it, so that few shapes occur


class Shortlist(Record):
    """The tokens that an output is made of: the most frequent ones, and those that a lexicon gives for its source's tokens.

    Probabilities are those among the shortlist of the sentence, so neighbours in a batch never matter (Jean et al. 2015,
    arXiv:1412.2007, section 3.4; L'Hostis et al. 2016, arXiv:1610.00072).
    """

    lexicon: Text | None = param(default=None, doc="File that `seqcfg lexicon` wrote; null takes lexicon.npz in the run's folder.")
    frequent: NonNegativeInt = param(default=500, doc="How many of the most frequent target tokens every sentence has.")
    per_token: PositiveInt = param(default=100, doc="How many of the lexicon's target tokens each source token adds.")

    def strays(self) -> Iterator[tuple[str, str, str]]:
        yield from leading_out(self, "lexicon")


class Shortlister:
    """Gives batches of numpy arrays their shortlists; the ids of rules become places in them."""

    def __init__(self, settings: Shortlist, lexicon: Lexicon, vocabulary: int):
        self._translations = lexicon.translations[:, : settings.per_token]
        self._frequent, self._vocabulary = lexicon.frequent[: settings.frequent], vocabulary

    def __call__(self, batch: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        """The batch with the shortlists, and the ids [size] that their places stand for, ascending, 0 behind the last.

        What rules demand is in the shortlist of its row. Raises UserError where the task has no source.
        """
        if "source" not in batch:
            raise UserError("a shortlist follows from a source, and this task has none", hint="decoding.shortlist: null")
        has = self.tokens(batch["source"])
        for name in ("rule_prefix", "rule_phrases"):
            if name in batch:
                has[np.arange(len(has))[:, None], batch[name].reshape(len(has), -1)] = True
        found = np.flatnonzero(has.any(axis=0))
        size = min(-(-len(found) // STEP) * STEP, self._vocabulary)
        ids, own = np.zeros([size], np.int32), np.zeros([len(has), size], bool)
        ids[: len(found)], own[:, : len(found)] = found, has[:, found]
        changed: dict[str, Any] = {name: _places(found, batch[name]) for name in ("rule_prefix", "rule_phrases") if name in batch}
        return {**batch, **changed, IDS: np.tile(ids, [len(has), 1]), OWN: own}, ids

    def tokens(self, source: Any) -> Any:
        """Which target tokens [rows, vocabulary] sources [rows, time] make likely."""
        has = np.zeros([len(source), self._vocabulary], bool)
        has[:, :NUM_RESERVED] = True
        has[:, self._frequent] = True
        has[:, self._translations[NULL]] = True  # and so padding adds nothing
        has[np.arange(len(source))[:, None], self._translations[source].reshape(len(source), -1)] = True
        return has


def _places(found: Any, ids: Any) -> Any:
    """Where each of the ids stands among those found, which hold all of them."""
    return np.searchsorted(found, ids).astype(np.int32)


class Shortlisted:
    """A stepper whose tokens are places in the shortlist of the batch: the logits of others are never computed.

    It wants one that offers `step_among`, and inputs that a `Shortlister` made, whose size is known while tracing.
    """

    def __init__(self, stepper: Any, size: int):
        self._stepper, self.vocabulary = stepper, size
        self.gives_scores = getattr(stepper, "gives_scores", False)

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]:
        others = {name: value for name, value in inputs.items() if name not in (IDS, OWN)}
        fixed, moving = self._stepper.start(others, max_length)
        return {"model": fixed, "ids": inputs[IDS], "own": inputs[OWN]}, moving

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        ids = fixed["ids"][0]
        moving, logits = self._stepper.step_among(fixed["model"], moving, tf.gather(ids, tokens), index, ids, fixed["own"])
        return moving, logits


def own_alone(logits: Any, own: Any) -> Any:
    """Logits [hypotheses, size] with -inf where the sentence [sentences, size] does not have the token."""
    width = tf.shape(logits)[0] // tf.shape(own)[0]
    return tf.where(tf.repeat(own, width, axis=0), logits, float("-inf"))
