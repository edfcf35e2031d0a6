"""Batching: how examples of different length are put into batches of about equal cost."""

from __future__ import annotations

from collections.abc import Iterator

from seqcfg.component.component import Record, param
from seqcfg.component.types import PositiveInt


class Batching(Record):
    """A budget of padded positions per batch, and how finely lengths are told apart.

    A batch of `rows` examples padded to `time` steps costs `rows * time` positions; with several ragged features
    (source and target) the most expensive one counts.
    """

    max_tokens: PositiveInt = param(default=2048, doc="Most padded positions of any one feature in a batch, in tokens (or frames).")
    num_buckets: PositiveInt = param(default=16, doc="Number of length classes; more means less padding and more batch shapes.")
    max_length: PositiveInt = param(
        default=100, doc="Longest example that is trained on, in tokens with start and end; longer ones are counted and left out."
    )

    packing: bool = param(
        default=False,
        doc="Whether several examples share a row of max_length steps; attention keeps them apart, so the loss is the same.",
        is_later=True,
    )

    def check(self) -> Iterator[tuple[str, str, str]]:
        if self.max_length > self.max_tokens:
            yield (
                "max_length",
                f"an example of {self.max_length} tokens does not fit into a batch of max_tokens {self.max_tokens}",
                f"at most {self.max_tokens}, or raise max_tokens",
            )
