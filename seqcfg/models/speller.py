"""The stepper that an encoder-decoder over frames offers to searches."""

from __future__ import annotations

from typing import Any

from seqcfg.layers.sequence import Sequence
from seqcfg.losses.targets import targets


class Speller:
    """The stepper over what a model has heard; see `Stepper`."""

    def __init__(self, w: Any):
        self._model = w
        self.vocabulary, self.hidden_size = w.output_weights()[0].shape

    def start(self, memory: Sequence, max_length: Any) -> tuple[Any, Any]:
        return self._model.start(memory, max_length)

    def step(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any]:
        return self._model.step(fixed, moving, tokens, index)

    def look(self, fixed: Any, moving: Any, tokens: Any, index: Any) -> tuple[Any, Any, Any]:
        """As `step`, and the vectors [hypotheses, hidden_size] behind the logits."""
        moving, hidden = self._model.read(fixed, moving, tokens, index)
        return moving, self._model.logits(hidden), hidden

    def logits(self, memory: Sequence, ids: Any, lengths: Any) -> Any:
        shifted, _, lengths = targets(ids, lengths)
        return self._model.logits(self._model.hidden(memory, shifted, lengths))
