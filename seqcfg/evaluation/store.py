"""Evaluations written into the run directory, in the form that runs/evaluations.py reads."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqcfg.decoding.settings import Decoding
from seqcfg.evaluation.confusions import confusions
from seqcfg.evaluation.corpus import Evaluated, as_plain
from seqcfg.evaluation.page import page
from seqcfg.metrics.error_rate import ErrorRate
from seqcfg.runs.evaluations import ATTENTION, FORMAT, METRICS, PAGE, SENTENCES, STATISTICS, WORDS, statistics_bytes


def folder_of(split: str, label: str, name: str = "") -> str:
    """Where the evaluation of a checkpoint on a split lies, below the run; `name` tells those of other settings apart."""
    return f"evaluations/{split}-{label}" + (f"-{name}" if name else "")


def write(trained: Any, evaluated: Evaluated, attention: dict[int, dict[str, Any]] | None = None, name: str = "") -> Path:
    """Stores the result below the run's evaluations/ and returns the folder; an earlier one of the same name is replaced.

    attention: {index of a line: {"source", "target": tokens, "weights": [[...]]}}, for the page and for reports; of sounds
    what `SoundPictures` gives.
    """
    folder = folder_of(evaluated.split, evaluated.label, name)
    run = trained.run
    (run.folder / folder / METRICS).unlink(missing_ok=True)  # first: what is half replaced does not count as whole
    texts = {"sources": evaluated.sources, "hypotheses": evaluated.hypotheses, "references": [one[0] for one in evaluated.references]}
    for part, lines_of in texts.items():
        (run.folder / folder / f"{part}.txt").unlink(missing_ok=True)
        if lines_of:
            run.write(f"{folder}/{part}.txt", "".join(f"{one_line(text)}\n" for text in lines_of))
    found, lines = finite(summary(trained, evaluated)), [finite(one) for one in sentences(evaluated)]
    run.write(f"{folder}/{SENTENCES}", "".join(f"{as_json(one)}\n" for one in lines))
    arrays = {one.score.name: one.statistics for one in evaluated.measured if one.statistics is not None}
    run.write(f"{folder}/{STATISTICS}", statistics_bytes(arrays))
    looked = sorted((attention or {}).items())
    maps = [{"line": index + 1} | _rounded(one) for index, one in looked if "weights" in one]
    words = [{"line": index + 1, "seconds": one["seconds"], "words": one["words"]} for index, one in looked if "words" in one]
    run.write(f"{folder}/{WORDS}", "".join(f"{as_json(one)}\n" for one in words))
    run.write(f"{folder}/{ATTENTION}", "".join(f"{as_json(one)}\n" for one in maps))
    shown = [line | ({"attention": attention[index]} if attention and index in attention else {}) for index, line in enumerate(lines)]
    run.write(f"{folder}/{PAGE}", page(trained.experiment.name, found, shown))
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)
    return run.write(f"{folder}/{METRICS}", text + "\n").parent  # last: it says that the rest is there


def _rounded(attention: dict[str, Any]) -> dict[str, Any]:
    return attention | {"weights": [[round(float(share), 3) for share in row] for row in attention["weights"]]}


def sentences(evaluated: Evaluated) -> Iterator[dict[str, Any]]:
    """What each line of sentences.jsonl holds; hypothesis, score and log_probability are None where nothing was decoded."""
    values = {one.score.name: one.line_values for one in evaluated.measured if one.line_values is not None}
    if not values and not evaluated.decoded:
        return
    for index, references in enumerate(evaluated.references):
        decoded = evaluated.decoded[index] if evaluated.decoded else None
        entry = {
            "line": index + 1,
            "source": evaluated.sources[index],
            "hypothesis": decoded.text if decoded else None,
            "references": references,
            "score": decoded.scores[0] if decoded else None,
            "log_probability": decoded.log_probabilities[0] if decoded else None,
            "metrics": {name: round(line[index], 4) for name, line in values.items()},
        }
        yield entry | ({"n_best": decoded.texts} if decoded and len(decoded.texts) > 1 else {})


def summary(trained: Any, evaluated: Evaluated) -> dict[str, Any]:
    """What metrics.json holds."""
    return {
        "format": FORMAT,
        "split": evaluated.split,
        "checkpoint": evaluated.label,
        "step": evaluated.step,
        "lines": len(evaluated.decoded),
        "lines_cut": evaluated.num_cut,
        "seconds_decoding": round(evaluated.seconds, 3),
        "metrics": [dataclasses.asdict(one.score) | {"settings": as_plain(one.metric)} for one in evaluated.measured],
        "confusions": {
            one.score.name: confusions(one.metric, evaluated.hypotheses, evaluated.references)
            for one in evaluated.measured
            if isinstance(one.metric, ErrorRate)
        },
        "losses": evaluated.losses,
        "decoding": as_plain(trained.experiment.recipe.decoding or Decoding()),
        "fingerprint": trained.experiment.fingerprint,
    }


def as_json(entry: dict[str, Any]) -> str:
    """One line of JSON; numbers that JSON does not have become null."""
    return json.dumps(finite(entry), ensure_ascii=False, allow_nan=False)


def one_line(text: str) -> str:
    """The text without line breaks, so that files keep one line per example."""
    return text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")


def finite(value: Any) -> Any:
    """The same value with None for numbers that are infinite or none."""
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
