"""Noisy channel: outputs ranked by how well they explain the input, and how good they are by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seqcfg.component.component import Record, param
from seqcfg.component.reach import leading_out
from seqcfg.component.types import NonNegativeFloat, Text
from seqcfg.decoding.member import Member
from seqcfg.decoding.scoring import Scorer
from seqcfg.lazy import np


class NoisyChannel(Record):
    """log p(y | x) / t + weight (log p(x | y) + log p(y)) / s for t target and s source tokens (arXiv:1908.05731, equation 3)."""

    run: Text = param(doc="Folder of a run that translates back, from outputs to inputs.")
    language_model: Text | None = param(default=None, doc="Folder of a language model run over outputs; null leaves log p(y) out.")
    checkpoint: Text = param(default="best", doc="Which checkpoint of each: best, last, average:N or a step number.")
    weight: NonNegativeFloat = param(default=1.0, doc="Weight of what the other models say (dimensionless).")

    def strays(self) -> Iterator[tuple[str, str, str]]:
        yield from leading_out(self, "run", "language_model", "checkpoint")


class ChannelRanker:
    """Ranks n-best lists; members have the roles `channel` and, where there is a language model, `channel_prior`."""

    def __init__(self, settings: NoisyChannel, members: list[Member], decoding: Any):
        self._weight = settings.weight
        limit = decoding.max_source_length  # of lines that are read, and so of what they are to be explained by
        scorers = {
            one.role: Scorer(one.task, one.declaration, one.weights, one.codecs, decoding, one.precision, [], limit) for one in members
        }
        self._back, self._prior = scorers["channel"], scorers.get("channel_prior")

    def ranked(self, texts: list[str], outputs: list[list[str]], totals: list[list[float]], sizes: list[list[int]]) -> list[Any]:
        """(places best first, their scores) per line; totals are log p(y | x) and sizes the outputs' tokens, the end id not counted."""
        sources = [text for text, found in zip(texts, outputs, strict=True) for _ in found]
        flat = [one for found in outputs for one in found]
        back = self._back.score(flat, sources)
        prior = self._prior.score([""] * len(flat), flat) if self._prior else None
        others = iter(
            (one.log_probability + (prior[place].log_probability if prior else 0.0)) / len(one.ids) for place, one in enumerate(back)
        )
        ranked = []
        for total, size in zip(totals, sizes, strict=True):
            scores = [value / (length + 1) + self._weight * next(others) for value, length in zip(total, size, strict=True)]
            order = np.argsort(-np.array(scores), kind="stable").tolist()
            ranked.append((order, [scores[place] for place in order]))
        return ranked
