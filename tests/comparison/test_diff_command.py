"""`seqcfg diff` at the command line: exit codes as those of diff, forms, what is shown, and no TensorFlow."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from seqcfg.commands.diff import command
from tests.comparison.synthetic import RECIPE, make_run


@pytest.fixture
def recipes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(RECIPE)
    (tmp_path / "b.yaml").write_text(RECIPE.replace("width: 3", "width: 4").replace("name: small", "name: other"))


def diff(*arguments):
    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    return result.return_value, result.output, result.exception


def test_exit_codes_are_those_of_diff(recipes):
    assert diff("a.yaml", "a.yaml")[0] == 0
    assert diff("a.yaml", "b.yaml")[0] == 1
    assert diff("a.yaml", "b.yaml", "--ignore", "cosmetic", "--ignore", "decoding.search.width")[0] == 0
    code, output, _ = diff("a.yaml", "missing.yaml")
    assert code == 2 and "there is no such recipe or run" in output
    assert diff("a.yaml", "b.yaml", "--only", "modle")[0] == 2
    assert "name two sides" in str(diff("a.yaml")[2])


def test_a_recipe_that_is_not_valid_is_trouble_and_says_where(recipes, tmp_path):
    (tmp_path / "bad.yaml").write_text(RECIPE.replace("hidden: 8", "hiden: 8"))
    code, output, _ = diff("a.yaml", "bad.yaml")
    assert code == 2 and "bad.yaml:17:" in output


def test_runs_that_cannot_be_read_are_trouble_and_say_why(recipes, tmp_path):
    for name in ("torn", "newer", "cut"):
        make_run(tmp_path / name, lines=5)
    (tmp_path / "torn" / "records.jsonl").write_text("nonsense\n{}\n")
    resolved = tmp_path / "newer" / "resolved.yaml"
    resolved.write_text(resolved.read_text().replace("recipe_version: 1", "recipe_version: 9"))
    (tmp_path / "cut" / "evaluations" / "test-step-00000040" / "references.txt").write_text("one line\n")
    for name, word in (("torn", "records.jsonl:1"), ("newer", "not 9"), ("cut", "5 outputs and 1 references")):
        code, output, _ = diff("a.yaml", name)
        assert code == 2 and word in output, output
    (tmp_path / "empty").mkdir()
    for side, word in (("empty", "is not a run directory"), ("trunk:a.yaml", "is not in a git checkout"), ("torn@10", "records.jsonl:1")):
        code, output, _ = diff("a.yaml", side)
        assert code == 2 and word in output, output


def test_the_json_holds_what_the_text_says(recipes):
    told = json.loads(diff("a.yaml", "b.yaml", "--format", "json")[1])
    assert told["differs"] and [change["path"] for change in told["changes"]] == ["decoding.search.width", "name"]
    assert told["changes"][0]["values"][1] == {"plain": 4, "words": "4", "origin": "b.yaml:29", "is_default": False, "is_absent": False}


@pytest.mark.parametrize("style, sign", [("markdown", "| `decoding.search.width` |"), ("html", "<code>decoding.search.width</code>")])
def test_the_other_forms_hold_it_too(recipes, style, sign):
    assert sign in diff("a.yaml", "b.yaml", "--format", style)[1]


def test_output_goes_to_a_file(recipes, tmp_path):
    assert diff("a.yaml", "b.yaml", "--format", "html", "--output", "x.html")[:2] == (1, "")
    assert (tmp_path / "x.html").read_text().startswith("<!doctype html>")
    assert diff("a.yaml", "b.yaml", "--output", "missing/x.html")[0] == 2


def test_neither_recipes_nor_runs_need_tensorflow(tmp_path):
    a, b = make_run(tmp_path / "a"), make_run(tmp_path / "b", rate=0.2)
    program = (
        "import sys; from seqcfg.cli import main; code = main(sys.argv[1:]); "
        "print(code, [name for name in ('tensorflow', 'sentencepiece', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, "diff", str(a), str(b)], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "1 []", done.stdout + done.stderr


def test_weights_are_compared_relative_to_their_size(tmp_path):
    import tensorflow as tf

    from seqcfg.checkpoints.commit import save

    run = make_run(tmp_path / "a")
    start = {"weights/a": [[3.0, 4.0]], "weights/b": [1.0, 0.0], "weights/c": [0.0]}
    moved = {"weights/a": [[3.0, 4.5]], "weights/b": [1.0, 0.0], "weights/d": [0.0]}
    for step, values in ((10, start), (20, moved)):
        save(run / "checkpoints", step, {name: tf.Variable(value) for name, value in values.items()} | {"state/step": tf.Variable(step)})
    code, output, _ = diff("--weights", f"{run}@10", f"{run}@20", "--format", "json")
    told = json.loads(output)
    assert code == 1 and [one["path"] for one in told["moved"]] == ["a", "b"]
    assert told["moved"][0]["relative"] == pytest.approx(0.1) and told["moved"][0]["largest"] == 0.5
    assert told["moved"][1]["relative"] == 0 and told["lonely"] == [["c"], ["d"]]
    assert told["relative"] == pytest.approx(0.5 / 26**0.5)
    assert diff("--weights", f"{run}@20", str(run / "checkpoints" / "step-00000020"))[0] == 0
    assert "a  " in diff("--weights", f"{run}@10", f"{run}@20")[1]
    assert diff("--weights", f"{run}@10", f"{run}@20", str(run))[0] == 2
