"""Token accuracy: how often the reference's next token is the model's first choice."""

from __future__ import annotations

from typing import Any, ClassVar

from seqcfg.lazy import np
from seqcfg.metrics.text_metric import TextMetric


class TokenAccuracy(TextMetric, type="token_accuracy"):
    """Percentage of the references' tokens, end ids included, that are the most probable after what comes before them.

    What comes before is the reference, not an output (teacher forcing), so no search is run; comparable among models of one
    tokenizer only. Statistics of a line: such tokens, and all tokens.
    """

    needs: ClassVar[str] = "scored"

    def statistics(self, scored: list[Any], references: list[list[str]]) -> Any:
        """scored: decoding.scoring.Scored of each line's reference."""
        return np.array([[one.num_best, len(one.ids)] for one in scored], np.float64)

    def from_statistics(self, sums: Any) -> float:
        return 100.0 * float(sums[0]) / float(sums[1])

    def signature(self, references: list[list[str]]) -> str:
        return "teacher_forced|end_id:counted"

    def details(self, sums: Any) -> dict[str, Any]:
        return {"right": int(sums[0]), "tokens": int(sums[1])}
