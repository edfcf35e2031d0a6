"""The page of one evaluation: scores, histograms, and every line with its differences marked; one file without a network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from seqcfg.evaluation.confusions import confusion_tables
from seqcfg.evaluation.differences import marked
from seqcfg.evaluation.sound_pictures import drawn
from seqcfg.runs.html import Cell, Column, document, filter_field, histogram, number, table

MAX_LINES = 2000  # shown; of more, half are the worst and half are spread over the rest
MAX_MAPS = 200  # lines whose attention is drawn
MAP_SCRIPT = """
for (const details of document.querySelectorAll("details[data-map]")) details.addEventListener("toggle", () => {
  if (!details.open || details.querySelector("svg")) return;
  const { source, target, weights } = JSON.parse(details.dataset.map), size = 18;
  const longest = words => Math.max(...words.map(word => word.length));
  const left = 7 * longest(target) + 10, top = 6 * longest(source) + 14;
  const draw = (tag, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const [width, height] = [left + size * source.length + 4 * longest(source) + 8, top + size * target.length + 4];
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, style: `width:${width}px;max-width:none` });
  source.forEach((word, x) => picture.append(
    draw("text", { transform: `translate(${left + size * x + 12},${top - 5}) rotate(-60)` }, word)));
  target.forEach((word, y) => picture.append(
    draw("text", { x: left - 5, y: top + size * y + 13, "text-anchor": "end" }, word),
    ...source.map((_, x) => {
      const cell = draw("rect", { class: "bar", x: left + size * x, y: top + size * y, width: size - 1, height: size - 1,
        "fill-opacity": weights[y][x] / 100 });
      cell.append(draw("title", {}, `${target[y]} \\u2190 ${source[x]}: ${weights[y][x]} %`));
      return cell;
    })));
  const frame = document.createElement("div");
  frame.className = "wide";
  frame.append(picture);
  details.append(frame);
});
"""


def page(name: str, summary: dict[str, Any], sentences: Sequence[dict[str, Any]]) -> str:
    """HTML; summary and sentences are what metrics.json and sentences.jsonl hold (runs/evaluations.py).

    A sentence may have "attention": {"source", "target": tokens, "weights": [[share of attention]] by target and source}.
    """
    shown = chosen(sentences, summary["metrics"])
    title = f"{name}: {summary['split']}, {summary['checkpoint']}"
    parts = [f"<h1>{escape(title)}</h1>", _facts(summary), _scores(summary)]
    if sentences:
        parts += [
            "<h2>Lengths and scores</h2>",
            _charts(summary["metrics"], sentences),
            *_errors(summary),
            "<h2>Lines</h2>",
            _legend(len(shown), len(sentences)),
        ]
        parts += [filter_field("lines", len(shown), "lines shown"), _lines(summary["metrics"], shown)]
    return document(title, "\n".join(parts), MAP_SCRIPT)


def chosen(sentences: Sequence[dict[str, Any]], metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines that are shown, in order: all, or the worst by the first metric and others spread evenly."""
    if len(sentences) <= MAX_LINES:
        return list(sentences)
    ranking = next((score for score in metrics if score["name"] in sentences[0]["metrics"]), None)
    sign = -1.0 if ranking and ranking["better"] == "lower" else 1.0

    def worth(index: int) -> float:
        value = sentences[index]["metrics"].get(ranking["name"]) if ranking else None
        return sign * value if value is not None else 0.0

    order = sorted(range(len(sentences)), key=worth)
    worst, rest = order[: MAX_LINES // 2], sorted(order[MAX_LINES // 2 :])
    spread = [rest[place * len(rest) // (MAX_LINES // 2)] for place in range(MAX_LINES // 2)]
    return [sentences[index] for index in sorted([*worst, *spread])]


def _facts(summary: dict[str, Any]) -> str:
    search = summary.get("decoding", {}).get("search", {})
    settings = ", ".join(f"{name} {value}" for name, value in search.items() if name != "type" and value not in (None, False))
    facts = [f"step {summary['step']:,}", f"{summary['lines']:,} lines", f"{search.get('type', 'no')} search ({settings})"]
    if summary.get("lines_cut"):
        facts.append(f"{summary['lines_cut']} sources cut")
    return f'<p class="soft">{escape(" · ".join(facts))}</p>'


def _scores(summary: dict[str, Any]) -> str:
    cards = []
    for score in summary["metrics"]:
        value = "&#8734;" if score["value"] is None else f"{score['value']:.2f}"
        bounds = score.get("interval") or {}
        interval = f"{bounds['low']:.2f} to {bounds['high']:.2f} ({bounds['confidence']:.0%})" if bounds else ""
        signature = f'<span class="soft mono">{escape(score["signature"]).replace("|", "|<wbr>")}</span>'
        cards.append(f'<div class="card">{escape(score["name"])}<b>{value}</b>{interval}<br>{signature}</div>')
    shown = {score["name"] for score in summary["metrics"]}
    losses = {name: value for name, value in summary.get("losses", {}).items() if name not in shown and value is not None}
    cards += [f'<div class="card">{escape(name)}<b>{value:.4g}</b></div>' for name, value in losses.items()]
    return f'<div class="cards">{"".join(cards)}</div>'


def _charts(metrics: list[dict[str, Any]], sentences: Sequence[dict[str, Any]]) -> str:
    words = {"references": [float(len(one["references"][0].split())) for one in sentences]}
    if _is_decoded(sentences):
        words["hypotheses"] = [float(len(one["hypothesis"].split())) for one in sentences]
    figures = [histogram("Length in words", words)]
    for score in metrics:
        if score["name"] in sentences[0]["metrics"]:
            figures.append(histogram(f"{score['name']} of single lines", {"lines": [one["metrics"][score["name"]] for one in sentences]}))
    if _is_decoded(sentences):
        figures.append(histogram("Log-probability of outputs (nats)", {"lines": [one["log_probability"] for one in sentences]}))
    return f'<div class="charts">{"".join(figures)}</div>'


def _errors(summary: dict[str, Any]) -> list[str]:
    tables = "".join(confusion_tables(name, found) for name, found in summary.get("confusions", {}).items())
    return ["<h2>Errors</h2>", tables] if tables else []


def _is_decoded(sentences: Sequence[dict[str, Any]]) -> bool:
    return bool(sentences) and sentences[0]["hypothesis"] is not None


def _legend(shown: int, total: int) -> str:
    part = "" if shown == total else f" {shown:,} of {total:,} lines are shown: the worst, and others spread over the corpus."
    marks = "What only the reference has is <del>struck out</del>, what only the hypothesis has <ins>underlined</ins>."
    return f'<p class="soft">{marks}{part}</p>'


def _lines(metrics: list[dict[str, Any]], sentences: Sequence[dict[str, Any]]) -> str:
    names = [score["name"] for score in metrics if sentences and score["name"] in sentences[0]["metrics"]]
    values = [Column(name, True, f"{name} of this line alone") for name in names]
    columns = [Column("line", True), Column("source"), Column("reference")]
    if not _is_decoded(sentences):
        rows = [[*_given(one), *(number(one["metrics"][name]) for name in names)] for one in sentences]
        return table("lines", [*columns, *values], rows)
    columns += [Column("hypothesis"), *values, Column("log p", True, "log-probability of the output in nats")]
    rows, maps = [], 0
    for one in sentences:
        references = [marked(text, one["hypothesis"]) for text in one["references"]]
        hypothesis = references[0][1]
        if "attention" in one and maps < MAX_MAPS:
            hypothesis, maps = hypothesis + _map(one["attention"]), maps + 1
        words = len(one["hypothesis"].split()), len(one["references"][0].split())
        row = [*_given(one)[:2], Cell("<br>".join(left for left, _ in references)), Cell(hypothesis)]
        row += [*(number(one["metrics"][name]) for name in names), number(one["log_probability"])]
        rows.append([*row, number(words[0] / words[1] if words[1] else None)])
    return table("lines", [*columns, Column("length", True, "words of the output / reference")], rows)


def _given(one: dict[str, Any]) -> list[Cell]:
    """The cells of a line's number, source and references."""
    return [Cell(str(one["line"]), one["line"]), Cell(escape(one["source"])), Cell("<br>".join(map(escape, one["references"])))]


def _map(attention: dict[str, Any]) -> str:
    if "weights" not in attention:
        return drawn(attention)
    shares = [[round(100 * share) for share in row] for row in attention["weights"]]
    data = json.dumps({"source": attention["source"], "target": attention["target"], "weights": shares}, ensure_ascii=False)
    return f'<details data-map="{escape(data)}"><summary class="soft">attention</summary></details>'
