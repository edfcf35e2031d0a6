"""Evaluations as they lie in a run directory: names of files, and reading them without the libraries that made them.

evaluations/<split>-<checkpoint>/
    metrics.json      what was measured, by which settings; written last, so that a folder with it is whole
    sentences.jsonl   one object per line of the split: texts, scores
    words.jsonl       one object per sound whose words were timed: "line" from 1, "seconds", "words" [[word, start, end]]
    attention.jsonl   one object per line whose attention was kept: "line" from 1, "source" and "target" tokens, "weights"
    statistics.npz    per metric, a float64 array [lines, numbers] whose sum over lines fixes the metric
    sources.txt, hypotheses.txt, references.txt    one line each, as other tools read them
    index.html        the page to look at
"""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqcfg.errors import UserError
from seqcfg.lazy import np

FORMAT = 1
METRICS, SENTENCES, STATISTICS, PAGE = "metrics.json", "sentences.jsonl", "statistics.npz", "index.html"
ATTENTION = "attention.jsonl"
WORDS = "words.jsonl"
AGAIN = "evaluate the run again"


@dataclasses.dataclass(frozen=True)
class StoredEvaluation:
    """One evaluation of a run; `summary` is what metrics.json holds."""

    folder: Path
    summary: dict[str, Any]

    @property
    def split(self) -> str:
        return str(self.summary["split"])

    @property
    def checkpoint(self) -> str:
        return str(self.summary["checkpoint"])

    @property
    def step(self) -> int:
        return int(self.summary["step"])

    @property
    def name(self) -> str:
        """What tells it apart from others of its split and checkpoint (evaluate --name); empty for the usual one."""
        return self.folder.name.removeprefix(f"{self.split}-{self.checkpoint}").removeprefix("-")

    @property
    def scores(self) -> dict[str, dict[str, Any]]:
        """{metric name: {"name", "value", "signature", "better", "details", "interval", "settings"}}."""
        return {score["name"]: score for score in self.summary["metrics"]}

    def sentences(self) -> Iterator[dict[str, Any]]:
        """Per line: "line" from 1, "source", "hypothesis", "references", "log_probability", "metrics" {name: value}.

        Raises UserError where the file is missing or damaged.
        """
        path = self.folder / SENTENCES
        try:
            with open(path, encoding="utf-8") as file:
                for line in file:
                    yield json.loads(line)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read: {error}", hint=AGAIN) from error

    def attention(self) -> list[dict[str, Any]]:
        """{"line", "source", "target", "weights" [target][source]} of the lines whose attention was kept; raises UserError."""
        path = self.folder / ATTENTION
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read: {error}", hint=AGAIN) from error

    def statistics(self) -> dict[str, Any]:
        """{metric name: float64 [lines, numbers]} of the metrics that follow from sums over lines; raises UserError."""
        path = self.folder / STATISTICS
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: cannot be read: {error}", hint=AGAIN) from error


def find(folder: str | Path) -> list[StoredEvaluation]:
    """All whole evaluations below a run's evaluations/, by step and name; folders without a readable metrics.json do not count."""
    folder = Path(folder)
    found = [read(entry) for entry in sorted(folder.iterdir()) if (entry / METRICS).is_file()] if folder.is_dir() else []
    return sorted((one for one in found if one is not None), key=lambda one: (one.step, one.folder.name))


def read(folder: str | Path) -> StoredEvaluation | None:
    """The evaluation in this folder, or None where there is none that can be read."""
    try:
        summary = json.loads((Path(folder) / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_whole = isinstance(summary, dict) and {"split", "checkpoint", "step", "metrics"} <= summary.keys()
    return StoredEvaluation(Path(folder), summary) if is_whole else None


def remove_after(folder: str | Path, step: int) -> None:
    """Deletes the evaluations of later steps, whose checkpoints are no more. Raises OSError."""
    for one in find(folder):
        if one.step > step:
            (one.folder / METRICS).unlink()  # first what makes it whole
            shutil.rmtree(one.folder)


def statistics_bytes(arrays: dict[str, Any]) -> bytes:
    """The content of statistics.npz."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()
