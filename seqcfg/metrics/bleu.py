"""BLEU, computed by sacreBLEU."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar, Literal

from seqcfg.component.component import param
from seqcfg.component.kinds import Metric
from seqcfg.lazy import np
from seqcfg.metrics.corpus import check_sizes, columns_of
from seqcfg.metrics.score import Score


class Bleu(Metric, type="bleu"):
    """Corpus BLEU in percent (Papineni et al. 2002), with sacreBLEU's signature (Post 2018, arXiv:1804.08771).

    `tokenize: moses` tokenises both sides with the Moses rules first, as papers on Multi30k do; such values are not
    comparable with those of `13a`.
    """

    needs: ClassVar[str] = "strings"
    better: ClassVar[str] = "higher"

    tokenize: Literal["13a", "intl", "char", "zh", "none", "moses"] = param(default="13a", doc="How text is cut into words.")
    language: str = param(default="en", doc="Language of the Moses rules, as a two-letter code; read with tokenize: moses only.")
    lowercase: bool = param(default=False, doc="Whether upper and lower case count as equal.")
    name: str = param(default="", doc="Name in tables and records; empty takes bleu, or bleu_moses and the like.", affects="nothing")

    @property
    def label(self) -> str:
        parts = ["bleu", *([] if self.tokenize == "13a" else [self.tokenize]), *(["lowercase"] if self.lowercase else [])]
        return self.name or "_".join(parts)

    def compute(self, hypotheses: list[str], references: list[list[str]]) -> Score:
        """references[i] are the references of hypothesis i; raises UserError when the counts differ."""
        metric, hypotheses, references = self._prepared(hypotheses, references)
        result = metric.corpus_score(hypotheses, columns_of(references))
        signature = str(metric.get_signature())
        if self.tokenize == "moses":
            version = importlib.import_module("sacremoses").__version__
            signature = signature.replace("tok:none", f"tok:moses.{self.language}.sacremoses-{version}")
        details = {
            "precisions": [round(float(p), 4) for p in result.precisions],
            "brevity_penalty": float(result.bp),
            "hypothesis_words": int(result.sys_len),
            "reference_words": int(result.ref_len),
        }
        return Score(name=self.label, value=float(result.score), signature=signature, details=details)

    def statistics(self, hypotheses: list[str], references: list[list[str]]) -> Any:
        """[lines, 10] float64: words of the output and of the closest reference, right n-grams and all n-grams of 1 to 4 words."""
        metric, hypotheses, references = self._prepared(hypotheses, references)
        return np.array(metric._extract_corpus_statistics(hypotheses, columns_of(references)), dtype=np.float64)

    def from_statistics(self, sums: Any) -> float:
        """BLEU of statistics summed over lines."""
        from sacrebleu.metrics import BLEU

        correct, total = [int(n) for n in sums[2:6]], [int(n) for n in sums[6:]]
        return float(BLEU.compute_bleu(correct, total, int(sums[0]), int(sums[1]), smooth_method="exp").score)

    def _prepared(self, hypotheses: list[str], references: list[list[str]]) -> tuple[Any, list[str], list[list[str]]]:
        from sacrebleu.metrics import BLEU

        check_sizes(hypotheses, references)
        tokenize = self.tokenize
        if tokenize == "moses":
            tokenize, cut = "none", self._moses()
            hypotheses, references = [cut(text) for text in hypotheses], [[cut(text) for text in texts] for texts in references]
        return BLEU(lowercase=self.lowercase, tokenize=tokenize, force=True), hypotheses, references

    def _moses(self):
        from sacremoses import MosesTokenizer

        tokenizer = MosesTokenizer(lang=self.language)
        return lambda text: tokenizer.tokenize(text, return_str=True, escape=False)
