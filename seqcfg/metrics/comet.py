"""COMET: quality as a neural network trained on human judgements sees it; runs in an environment of its own."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from seqcfg.component.component import param
from seqcfg.component.types import NonNegativeInt, PositiveInt
from seqcfg.errors import UserError
from seqcfg.lazy import np
from seqcfg.metrics.corpus import check_sizes
from seqcfg.metrics.score import Score
from seqcfg.metrics.text_metric import TextMetric

PYTHON = "SEQCFG_COMET_PYTHON"  # environment variable: the interpreter that has unbabel-comet; never named by a recipe
REMEDY = f"python -m venv comet && comet/bin/pip install unbabel-comet && export {PYTHON}=$PWD/comet/bin/python"
VERSION_PROGRAM = "from importlib.metadata import version; print(version('unbabel-comet'))"
PROGRAM = """
import json, sys
request = json.load(sys.stdin)
import comet
model = request["model"]
model = comet.load_from_checkpoint(model if model.endswith(".ckpt") else comet.download_model(model))
found = model.predict(request["data"], batch_size=request["batch_size"], gpus=request["gpus"], progress_bar=False)
with open(request["answer"], "w") as file:
    json.dump([float(score) for score in found.scores], file)
"""


class Comet(TextMetric, type="comet"):
    """Mean of COMET's scores of lines, times 100 (Rei et al. 2020, arXiv:2009.09025; Rei et al. 2022 for the default model).

    unbabel-comet cannot share an environment with TensorFlow (numpy below 2, protobuf below 5), so it runs in a process of
    the interpreter that the environment variable SEQCFG_COMET_PYTHON names. The model is a .ckpt file, or a name that
    unbabel-comet downloads from the Hugging Face Hub on first use; gated ones need a login there. Of several references
    the first one counts. Statistics of a line: its score, and 1.
    """

    needs: ClassVar[str] = "sources"

    model: str = param(default="Unbabel/wmt22-comet-da", doc="Name of a model, or path of its .ckpt file.")
    batch_size: PositiveInt = param(default=8, doc="Lines that are judged together.", affects="nothing")
    gpus: NonNegativeInt = param(default=0, doc="GPUs that PyTorch uses; 0 computes on the processor.", affects="nothing")

    def strays(self) -> Iterator[tuple[str, str, str]]:
        if not self.model.startswith("Unbabel/"):  # a checkpoint of PyTorch may run code
            hint = "name one as Unbabel/NAME; --set gives any other"
            yield "model", f"{self.model[:80]!r} is a model that a recipe may not name, because opening it runs what it holds", hint

    def statistics(self, hypotheses: list[str], references: list[list[str]], sources: list[str] | None = None) -> Any:
        """Raises UserError when the package or the model is missing, or no sources are given."""
        if sources is None:
            raise UserError("comet compares outputs with sources, and there are none", hint="measure it with `seqcfg evaluate`")
        if self.model.endswith(".ckpt") and not Path(self.model).is_file():
            raise UserError(f"comet: {self.model}: there is no such file", hint="give a COMET checkpoint, or the name of a model")
        rows = zip(sources, hypotheses, references, strict=True)
        data = [{"src": source, "mt": hypothesis, "ref": texts[0]} for source, hypothesis, texts in rows]
        scores = judged({"model": self.model, "data": data, "batch_size": self.batch_size, "gpus": self.gpus})
        return np.stack([np.array(scores, np.float64), np.ones([len(data)])], axis=1)

    def from_statistics(self, sums: Any) -> float:
        return 100.0 * float(sums[0]) / float(sums[1])

    def signature(self, references: list[list[str]]) -> str:
        model = Path(self.model).name if self.model.endswith(".ckpt") else self.model
        return f"model:{model}|unbabel-comet:{version(os.environ.get(PYTHON, ''))}"

    def compute(self, hypotheses: list[str], references: list[list[str]], sources: list[str] | None = None) -> Score:
        check_sizes(hypotheses, references)
        return self.score(self.statistics(hypotheses, references, sources), references)


def judged(request: dict[str, Any]) -> list[float]:
    """The score of each entry of request["data"]; raises UserError with what the other process said last."""
    python = os.environ.get(PYTHON, "")
    version(python)
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "scores.json"  # a file, as the libraries there write to standard output
        done = subprocess.run([python, "-c", PROGRAM], input=json.dumps(request | {"answer": str(answer)}), text=True, capture_output=True)
        if done.returncode or not answer.exists():
            last = done.stderr.strip().split("\n")[-1]
            raise UserError(f"COMET with the model {request['model']!r} failed: {last}", hint="check the model's name, and the network")
        return json.loads(answer.read_text())


@functools.lru_cache(maxsize=4)
def version(python: str) -> str:
    """The version of unbabel-comet that an interpreter has; raises UserError where it has none."""
    if not python:
        raise UserError("the metric comet needs unbabel-comet in an environment of its own", hint=REMEDY)
    try:
        done = subprocess.run([python, "-c", VERSION_PROGRAM], capture_output=True, text=True)
    except OSError as error:
        raise UserError(f"{PYTHON}: {python} cannot be run: {error.strerror}", hint=REMEDY) from error
    if done.returncode:
        raise UserError(f"{PYTHON}: {python} has no unbabel-comet", hint=REMEDY)
    return done.stdout.strip()
