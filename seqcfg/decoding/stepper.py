"""The stepper: what a model offers to every search, and what every search returns."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol


class Stepper(Protocol):
    """A conditional distribution over the next token.

    `start(inputs) -> (fixed, moving)`: two nested dicts of tensors. `fixed` has one row per sentence and never
    changes; `moving` has one row per sentence at first, is repeated `width` times by a search, and reordered.
    `step(fixed, moving, tokens, index) -> (moving, logits)`: tokens [sentences * width] int32 are the ids at
    position `index` (the start id at 0); logits [sentences * width, vocabulary] float32 are those of the next.
    Hypotheses of a sentence are neighbours: row r belongs to sentence r // width.
    `logits(inputs, ids, lengths)`: what `step` gives at every position of outputs that are known: ids [batch, time]
    with the end id inside lengths [batch] -> [batch, time, vocabulary] float32.

    `gives_scores`: True where the "logits" are log-probabilities, or sums of several, that searches add as they are.
    `wanted(fixed, moving)`: where phrases must occur, what hypotheses lack of them (see `Wanted`); left out elsewhere.
    """

    vocabulary: int
    gives_scores: bool = False

    def start(self, inputs: dict[str, Any], max_length: Any) -> tuple[Any, Any]: ...

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]: ...

    def logits(self, inputs: dict[str, Any], ids: Any, lengths: Any) -> Any: ...


class Hypotheses(NamedTuple):
    """What a search found, best first.

    tokens [batch, n_best, time] int32, ends and padding are 0; lengths [batch, n_best] without the end id;
    scores [batch, n_best] float32; log_probabilities [batch, n_best] of the whole sequence with its end;
    is_over [batch] bool: False where the buffers ended before the search did, so that the row must be searched again.
    """

    tokens: Any
    lengths: Any
    scores: Any
    log_probabilities: Any
    is_over: Any
