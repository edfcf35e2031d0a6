"""Showing problems in the three formats, and the places they point at."""

import io
import json
import re
import xml.etree.ElementTree as ElementTree

from seqcfg.errors import Problem
from seqcfg.recipe.report import as_github, as_json, as_text, has_colors, render
from seqcfg.recipe.validate import validate


def problem(**more):
    return Problem(
        **({"message": "is wrong", "file": "r.yaml", "line": 2, "column": 4, "path": "a.b", "hint": "mend it", "code": "E0301"} | more)
    )


def test_text_shows_the_line_with_a_caret_under_the_column(tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text("a:\n  b: 1\n")
    lines = as_text([problem(file=str(file), column=6)]).splitlines()
    assert lines[0] == f"{file}:2:6: a.b: is wrong [E0301]"
    assert lines[1] == "    2 |   b: 1"
    assert lines[2].index("^") - lines[1].index("|") == 6 + 1  # the excerpt starts one blank behind the bar
    assert lines[3] == "    hint: mend it"


def test_long_lines_are_cut_around_the_column(tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text("a: " + "x" * 500 + "HERE" + "y" * 500 + "\n")
    lines = as_text([problem(file=str(file), line=1, column=504)]).splitlines()
    assert len(lines[1]) < 200
    assert lines[1][lines[2].index("^")] == "H"


def test_problems_without_a_file_on_disk_have_no_excerpt():
    assert as_text([problem(file="--set a.b=1", line=0, column=0)]) == "--set a.b=1: a.b: is wrong [E0301]\n    hint: mend it"


def test_json_holds_every_part():
    assert json.loads(as_json([problem()])) == [
        {"file": "r.yaml", "line": 2, "column": 4, "path": "a.b", "code": "E0301", "message": "is wrong", "hint": "mend it", "named_in": ""}
    ]


def test_annotations_escape_what_would_end_them():
    text = as_github([problem(file="a,b:c.yaml", message="50% of\nlines")])
    assert text == "::error file=a%2Cb%3Ac.yaml,line=2,col=4,title=E0301::a.b: 50%25 of%0Alines (mend it)"


def test_sarif_has_a_rule_per_code_and_a_place_per_result():
    log = json.loads(render({"r.yaml": [problem(file="a b/r.yaml"), problem(code="E0107"), problem(line=0, column=0)]}, "sarif"))
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert (log["version"], rules) == ("2.1.0", ["E0107", "E0301"])
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    first, second, third = (result["locations"][0]["physicalLocation"] for result in run["results"])
    assert first == {"artifactLocation": {"uri": "a%20b/r.yaml"}, "region": {"startLine": 2, "startColumn": 4}}
    assert second["region"] == {"startLine": 2, "startColumn": 4}
    assert "region" not in third
    assert run["results"][0]["message"]["text"] == "a.b: is wrong (mend it)"


def test_sarif_of_valid_recipes_is_a_run_without_results():
    assert json.loads(render({"r.yaml": []}, "sarif"))["runs"][0]["results"] == []


def test_junit_has_a_case_per_recipe_and_a_failure_per_broken_one():
    text = render({"good.yaml": [], 'b"a<d.yaml': [problem(message="is <wrong> \x07"), problem(code="E0107")]}, "junit")
    root = ElementTree.fromstring(text.encode())
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    good, bad = root.iter("testcase")
    assert (good.get("name"), len(good)) == ("good.yaml", 0)
    assert bad.get("name") == 'b"a<d.yaml'
    assert bad[0].get("type") == "E0301"
    assert "is <wrong> ?" in bad[0].text and "[E0107]" in bad[0].text


def test_a_problem_of_a_shared_base_is_shown_once():
    assert len(json.loads(render({"a.yaml": [problem()], "b.yaml": [problem()]}, "json"))) == 1


def test_a_problem_in_a_base_points_at_both_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "far.yaml").write_text("recipe_version: 1\ntraining: {sed: 4}\n")
    (tmp_path / "near.yaml").write_text("recipe_version: 1\nbase: far.yaml\n")
    (tmp_path / "r.yaml").write_text("recipe_version: 1\nbase: [near.yaml]\ntask: {type: translatoin}\n")
    found = {problem.path: problem for problem in validate("r.yaml")}
    assert found["training.sed"].named_in == "near.yaml:2:7"
    assert found["task.type"].named_in == ""
    assert "far.yaml:2:12: training.sed" in as_text(found.values())
    assert "\n    named as base in near.yaml:2:7\n    hint: did you mean 'seed'?" in as_text([found["training.sed"]])
    assert "named as base in near.yaml:2:7)" in as_github([found["training.sed"]])
    log = json.loads(render({"r.yaml": [found["training.sed"]]}, "sarif"))
    (related,) = log["runs"][0]["results"][0]["relatedLocations"]
    assert related["physicalLocation"]["artifactLocation"]["uri"] == "near.yaml"
    assert related["physicalLocation"]["region"] == {"startLine": 2, "startColumn": 7}


def test_a_base_that_cannot_be_read_points_at_both_files(tmp_path):
    (tmp_path / "b.yaml").write_text("a: [1\n")
    (tmp_path / "r.yaml").write_text("recipe_version: 1\nbase: b.yaml\n")
    (problem,) = validate(str(tmp_path / "r.yaml"))
    assert problem.file == str(tmp_path / "b.yaml") and problem.named_in == f"{tmp_path / 'r.yaml'}:2:7"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_colours_are_for_terminals_that_want_them(monkeypatch):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert has_colors(Terminal()) and not has_colors(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colors(Terminal())
    colored = as_text([problem()], colors=True)
    assert colored.startswith("\033[1mr.yaml:2:4\033[0m: a.b: is wrong")
    assert re.sub(r"\033\[[0-9]+m", "", colored) == as_text([problem()])
