import base64
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from seqcfg.cli import cli
from seqcfg.evaluation.sound_pictures import drawn, png
from tests.evaluation.small_sounds import make_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("pages")
    run = make_run(place)
    roots = ["--data-root", str(place), "--cache-root", str(place / "prepared")]
    result = CliRunner().invoke(cli, ["evaluate", str(run), "--split", "test", "--alignments", *roots])
    assert result.exit_code == 0, result.output
    return run / "evaluations" / "test-step-00000010"


def test_an_evaluation_of_sounds_names_them_and_counts_errors_by_kind(folder):
    sentences = [json.loads(line) for line in (folder / "sentences.jsonl").read_text().splitlines()]
    assert [one["source"] for one in sentences] == [f"test-{number}" for number in range(1, 6)]
    summary = json.loads((folder / "metrics.json").read_text())
    (wer,) = (one for one in summary["metrics"] if one["name"] == "wer")
    counted = {kind: sum(row[-1] for row in rows) for kind, rows in summary["confusions"]["wer"].items()}
    assert counted == {kind: wer["details"][kind] for kind in ("substitutions", "deletions", "insertions")}


def test_its_page_shows_features_and_words_where_they_were_said(folder):
    page = (folder / "index.html").read_text()
    assert page.count("data:image/png;base64,") == 5
    assert "wer: " in page
    words = [json.loads(line) for line in (folder / "words.jsonl").read_text().splitlines()]
    for one in words:
        assert all(0 <= start < end <= one["seconds"] + 1e-3 for _, start, end in one["words"])
    assert any(one["words"] for one in words)


def test_a_picture_holds_the_values_the_largest_darkest():
    data = base64.b64decode(png(np.array([[0.0, 1.0], [2.0, 4.0]])).partition(",")[2])
    import tensorflow as tf

    np.testing.assert_array_equal(tf.io.decode_png(data)[..., 0], [[255, 191], [128, 0]])


def test_words_are_escaped_and_stand_at_their_times():
    html = drawn({"seconds": 4.0, "words": [["<a>", 1.0, 2.0]], "features": "data:,", "attention": None})
    assert "&lt;a&gt;" in html
    assert re.search(r'<rect class="bar" x="120.0" width="120.0"', html)
