"""What all layers share that see an utterance as a whole."""

from __future__ import annotations

from typing import Any

from seqcfg.component.kinds import SequenceLayer
from seqcfg.errors import UserError
from seqcfg.layers.sequence import Sequence, refuse_packed


class UtteranceLayer(SequenceLayer):
    """A layer that must see the whole utterance: it refuses rows that several share, and step-by-step use."""

    respects_segments = False

    def kept(self, d: Any, at: Any) -> float:
        return 0  # nothing before it is trained

    def __call__(self, w: Any, x: Sequence) -> Sequence:
        """Values [batch, time, ...] -> [batch, num_positions(time), ...]."""
        refuse_packed(x, f"{w.path or self.type}: a layer of the front end")
        return self.apply(w, x)

    def apply(self, w: Any, x: Sequence) -> Sequence:
        """What the layer computes, of one utterance per row."""
        raise TypeError(f"{type(self).__name__} defines no apply")

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        raise UserError(f"{w.path}: {self.type} cannot run step by step", hint="put it into the front end, which sees whole utterances")

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        raise UserError(f"{w.path}: {self.type} cannot run step by step", hint="put it into the front end, which sees whole utterances")


class TrainingLayer(UtteranceLayer):
    """One that changes utterances in training only, and so stands in no stream's way."""

    def start(self, w: Any, sequence: Sequence, max_length: Any) -> tuple[Any, Any]:
        return {}, {}

    def step(self, w: Any, x: Sequence, fixed: Any, moving: Any) -> tuple[Sequence, Any]:
        return x, moving
