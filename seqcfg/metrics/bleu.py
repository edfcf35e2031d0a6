"""BLEU, computed by sacreBLEU."""

from __future__ import annotations

import functools
import importlib
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.metrics.sacrebleu_metric import SacrebleuMetric, scorer_of


class Bleu(SacrebleuMetric, type="bleu"):
    """Corpus BLEU in percent (Papineni et al. 2002), with sacreBLEU's signature (Post 2018, arXiv:1804.08771).

    `tokenize: moses` tokenises both sides with the Moses rules first, as papers on Multi30k do; such values are not
    comparable with those of `13a`. Values of single lines take no order that the line is too short for.
    Statistics of a line: words of the output and of the reference, then matches and n-grams of the orders 1 to 4.
    """

    tokenize: Literal["13a", "intl", "char", "zh", "none", "moses"] = param(default="13a", doc="How text is cut into words.")
    language: str = param(default="en", doc="Language of the Moses rules, as a two-letter code; read with tokenize: moses only.")
    lowercase: bool = param(default=False, doc="Whether upper and lower case count as equal.")

    @property
    def default_name(self) -> str:
        return "_".join(["bleu", *([] if self.tokenize == "13a" else [self.tokenize]), *(["lowercase"] if self.lowercase else [])])

    def scorer(self) -> Any:
        return self._scorer(effective_order=False)

    def prepared(self, texts: list[str]) -> list[str]:
        if self.tokenize != "moses":
            return texts
        tokenizer = _moses(self.language)
        return [tokenizer.tokenize(text, return_str=True, escape=False) for text in texts]

    def signature(self, references: list[list[str]]) -> str:
        signature = super().signature(references)
        if self.tokenize == "moses":
            version = importlib.import_module("sacremoses").__version__
            signature = signature.replace("tok:none", f"tok:moses.{self.language}.sacremoses-{version}")
        return signature

    def details(self, sums: Any) -> dict[str, Any]:
        result = self.scorer()._compute_score_from_stats(list(sums))
        return {
            "precisions": [round(float(p), 4) for p in result.precisions],
            "brevity_penalty": float(result.bp),
            "hypothesis_words": int(result.sys_len),
            "reference_words": int(result.ref_len),
        }

    def line_values(self, statistics: Any) -> list[float]:
        scorer = self._scorer(effective_order=True)
        return [float(scorer._compute_score_from_stats(list(row)).score) for row in statistics]

    def _scorer(self, effective_order: bool) -> Any:
        tokenize = "none" if self.tokenize == "moses" else self.tokenize
        return scorer_of("BLEU", lowercase=self.lowercase, tokenize=tokenize, force=True, effective_order=effective_order)


@functools.lru_cache(maxsize=8)
def _moses(language: str) -> Any:
    return importlib.import_module("sacremoses").MosesTokenizer(lang=language)
