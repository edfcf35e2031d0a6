"""What the metrics that sacreBLEU computes share: its statistics, its values, its signatures."""

from __future__ import annotations

import functools
from typing import Any

from seqcfg.lazy import np
from seqcfg.metrics.corpus import columns_of
from seqcfg.metrics.text_metric import TextMetric


class SacrebleuMetric(TextMetric):
    """A member says which class of sacreBLEU it is, and with which options."""

    def scorer(self) -> Any:
        """sacreBLEU's object for these settings."""
        raise TypeError(f"{type(self).__name__} defines no scorer")

    def prepared(self, texts: list[str]) -> list[str]:
        """The texts as sacreBLEU gets them."""
        return texts

    def statistics(self, hypotheses: list[str], references: list[list[str]]) -> Any:
        """sacreBLEU's own statistics of each line."""
        columns = columns_of([self.prepared(texts) for texts in references])
        return np.array(self.scorer()._extract_corpus_statistics(self.prepared(hypotheses), columns), np.float64)

    def from_statistics(self, sums: Any) -> float:
        return float(self.scorer()._compute_score_from_stats(list(sums)).score)

    def signature(self, references: list[list[str]]) -> str:
        scorer, counts = self.scorer(), {len(texts) for texts in references}
        scorer.num_refs = counts.pop() if len(counts) == 1 else -1
        return str(scorer.get_signature())


@functools.lru_cache(maxsize=32)
def scorer_of(name: str, **options: Any) -> Any:
    """sacreBLEU's metric object; one per choice of options, as making it reads tables."""
    from sacrebleu import metrics

    return getattr(metrics, name)(**options)
