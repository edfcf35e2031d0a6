"""Evaluations as they are stored: what is not there is missing, and what was there before does not linger."""

import types

import numpy as np
import pytest

from seqcfg.comparison.decodes import _line
from seqcfg.decoding.decoder import Decoded
from seqcfg.evaluation.corpus import Evaluated
from seqcfg.evaluation.measure import Measured
from seqcfg.evaluation.store import write
from seqcfg.metrics.perplexity import Perplexity
from seqcfg.runs.directory import RunDirectory
from seqcfg.runs.evaluations import read


def stored(folder, decoded, step=1):
    """An evaluation of two lines by perplexity, the first one without a finite value."""
    recipe = types.SimpleNamespace(decoding=None)
    experiment = types.SimpleNamespace(name="stub", fingerprint={"model": "m"}, recipe=recipe)
    trained = types.SimpleNamespace(run=RunDirectory(folder), experiment=experiment)
    metric, statistics = Perplexity(), np.array([[9000.0, 3.0], [2.0, 2.0]])
    score = metric.from_means({"nll": 1.0})
    measured = [Measured(metric, score, statistics, metric.line_values(statistics))]
    evaluated = Evaluated("test", f"step-{step}", step, measured, {"nll": 1.0}, ["a\rb", "c"], [["x\n\ny"], ["z"]], decoded)
    return read(write(trained, evaluated))


def test_numbers_that_json_lacks_are_null_and_texts_stay_one_line_each(tmp_path):
    one = stored(tmp_path, [Decoded(["o\np"], [-1.0], [-2.0], [[5]]), Decoded([""], [0.0], [0.0], [[]])])
    assert [line["metrics"]["perplexity"] for line in one.sentences()] == [None, pytest.approx(2.7183, abs=1e-4)]
    texts = {name: (one.folder / f"{name}.txt").read_bytes() for name in ("sources", "hypotheses", "references")}
    assert texts == {"sources": b"a b\nc\n", "hypotheses": b"o p\n\n", "references": b"x  y\nz\n"}
    assert next(one.sentences())["hypothesis"] == "o\np"


def test_without_outputs_lines_have_values_all_the_same(tmp_path):
    stored(tmp_path, [Decoded(["o"], [-1.0], [-2.0], [[5]])] * 2)
    one = stored(tmp_path, [])
    assert not (one.folder / "hypotheses.txt").exists() and (one.folder / "references.txt").exists()
    assert [line["hypothesis"] for line in one.sentences()] == [None, None] and one.statistics()["perplexity"].shape == (2, 2)
    page = (one.folder / "index.html").read_text(encoding="utf-8")
    assert page.count("<tr>") == 3 and "hypothesis</button>" not in page
    line = _line(1, (one, stored(tmp_path, [], step=2)), [[1.0, 2.0], [3.0, 4.0]])
    assert (line.reference, line.outputs) == ("z", ("", ""))
