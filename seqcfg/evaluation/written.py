"""How outputs and scores are written: plain text, tab-separated columns, JSON lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from seqcfg.evaluation.store import as_json, one_line


@dataclasses.dataclass(frozen=True)
class Style:
    """What is written of each output; `tokens_of` maps ids to what they stand for, or is None."""

    format: str
    scores: bool = False
    tokens_of: Callable[[list[int]], list[str]] | None = None

    def decoded(self, number: int, decoded: Any, alignment: list[Any] | None = None) -> str:
        """The lines for one input, numbered from 0; decoded: decoding.decoder.Decoded."""
        return {"text": self._text, "tsv": self._tsv, "jsonl": self._jsonl}[self.format](number, decoded, alignment)

    def _text(self, number: int, decoded: Any, alignment: list[Any] | None) -> str:
        text = self._shown(decoded.texts[0], decoded.ids[0])
        return f"{text} ||| {pharaoh(alignment[0])}\n" if alignment is not None else f"{text}\n"

    def _tsv(self, number: int, decoded: Any, alignment: list[Any] | None) -> str:
        lines = []
        for rank, (text, score, total, ids) in enumerate(zip(*decoded[:4], strict=True)):
            columns: list[Any] = [number + 1, rank + 1, self._shown(text, ids).replace("\t", " ")]
            columns += [f"{score:.6g}", f"{total:.6g}"] if self.scores else []
            columns += [pharaoh(alignment[rank])] if alignment is not None else []
            lines.append("\t".join(map(str, columns)) + "\n")
        return "".join(lines)

    def _jsonl(self, number: int, decoded: Any, alignment: list[Any] | None) -> str:
        entry: dict[str, Any] = {"line": number + 1, "text": decoded.text}
        if len(decoded.texts) > 1:
            entry["n_best"] = decoded.texts
        if self.scores:
            entry |= {"scores": decoded.scores, "log_probabilities": decoded.log_probabilities}
        if self.tokens_of:
            entry["tokens"] = [self.tokens_of(ids) for ids in decoded.ids]
        if alignment is not None:
            entry["alignments"] = [[list(pair) for pair in pairs] for pairs in alignment]
        return as_json(entry) + "\n"

    def _shown(self, text: str, ids: list[int]) -> str:
        return one_line(" ".join(self.tokens_of(ids)) if self.tokens_of else text)

    def scored(self, number: int, scored: Any) -> str:
        """The line for one pair; scored: decoding.scoring.Scored."""
        tokens = list(zip(self.tokens_of(scored.ids), scored.log_probabilities, strict=True)) if self.tokens_of else []
        if self.format == "jsonl":
            entry = {"line": number + 1, "log_probability": scored.log_probability, "score": scored.score, "length": len(scored.ids)}
            return as_json(entry | ({"tokens": [list(pair) for pair in tokens]} if self.tokens_of else {})) + "\n"
        columns = [f"{scored.log_probability:.6g}"]
        if self.format == "tsv":
            columns = [str(number + 1), *columns, f"{scored.score:.6g}", str(len(scored.ids))]
        if self.tokens_of:
            columns.append(" ".join(f"{one_line(token)}={value:.4g}" for token, value in tokens))
        return "\t".join(columns) + "\n"


def pharaoh(pairs: list[tuple[int, int]]) -> str:
    """Links as `source-target`, positions of tokens from 0."""
    return " ".join(f"{source}-{target}" for source, target in pairs)
