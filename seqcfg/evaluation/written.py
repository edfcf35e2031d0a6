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
        """The lines for one input, numbered from 0; decoded: decoding.decoder.Decoded; alignment: links of each output."""
        if self.format == "jsonl":
            links = {} if alignment is None else {"alignments": [[list(pair) for pair in pairs] for pairs in alignment]}
            return as_json(self.entry(number, decoded) | links) + "\n"
        return self.lines(number, decoded, None if alignment is None else [pharaoh(pairs) for pairs in alignment])

    def lines(self, number: int, decoded: Any, beside: list[str] | None = None) -> str:
        """As text or tab-separated columns, with what stands beside each output."""
        if self.format == "text":
            text = self._shown(decoded.texts[0], decoded.ids[0])
            return f"{text} ||| {beside[0]}\n" if beside is not None else f"{text}\n"
        lines = []
        for rank, (text, score, total, ids) in enumerate(zip(*decoded[:4], strict=True)):
            columns: list[Any] = [number + 1, rank + 1, self._shown(text, ids).replace("\t", " ")]
            columns += [f"{score:.6g}", f"{total:.6g}"] if self.scores else []
            columns += [beside[rank]] if beside is not None else []
            lines.append("\t".join(map(str, columns)) + "\n")
        return "".join(lines)

    def entry(self, number: int, decoded: Any) -> dict[str, Any]:
        """As one object."""
        entry: dict[str, Any] = {"line": number + 1, "text": decoded.text}
        if len(decoded.texts) > 1:
            entry["n_best"] = decoded.texts
        if self.scores:
            entry |= {"scores": decoded.scores, "log_probabilities": decoded.log_probabilities}
        if self.tokens_of:
            entry["tokens"] = [self.tokens_of(ids) for ids in decoded.ids]
        return entry

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
