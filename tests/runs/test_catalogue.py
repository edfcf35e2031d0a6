"""The catalogue lists what there is, says what is wrong with what is broken, and is stopped by nothing."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from seqcfg.cli import cli
from seqcfg.commands.runs import command
from seqcfg.errors import UserError
from seqcfg.runs import query
from seqcfg.runs.catalogue import list_runs, look_at
from seqcfg.runs.labels import read_labels
from seqcfg.runs.lock import RunLock
from tests.comparison.synthetic import RECIPE, make_run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three runs: two finished with other seeds, one killed half-way; `b` lies deeper."""
    folder = tmp_path_factory.mktemp("catalogue") / "runs"
    make_run(folder / "a", rate=0.5, lines=20)
    make_run(folder / "deep" / "er" / "b", RECIPE.replace("steps: 40", "steps: 40\n  seed: 2"), rate=0.1, lines=20)
    make_run(folder / "c", steps=20, outcome="", lines=20)
    return folder


@pytest.fixture
def runs(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return Path("runs")


def listed(folder):
    return {run.folder.name: run for run in list_runs(folder)}


def called(*arguments, **options):
    result = CliRunner().invoke(command, arguments, standalone_mode=False, **options)
    if result.exception is not None:
        raise result.exception
    return result.output


def test_a_row_tells_what_the_run_holds(runs):
    found = listed(runs)
    a, c = found["a"], found["c"]
    assert (a.status, a.step, a.steps, a.name, a.seconds, a.started) == ("finished", 40, 40, "small", 600.0, "2026-01-31T12:00:00+00:00")
    assert (a.best_metric, a.best, a.best_step) == ("exact_match", 20.0, 40) and a.hardware == "2 cores, A Processor"
    assert set(a.metrics) == {"test/exact_match", "test/chrf"} and a.fingerprint["model"] == found["b"].fingerprint["model"]
    assert (c.status, c.step) == ("killed", 20)


def test_a_run_at_work_is_running_and_looking_disturbs_it_not(runs):
    with RunLock(runs / "c") as lock:
        assert look_at(runs / "c").status == "running"
        assert lock.is_held()
    assert look_at(runs / "c").status == "killed"


def breaks(runs):
    """One directory of each way to be broken: {name: (status, a word of what is said)}."""
    a = runs / "a"

    def copy(name):
        shutil.copytree(a, runs / name)
        return runs / name

    (copy("bad_manifest") / "manifest.textproto").write_text("attempts {")
    (copy("bad_records") / "records.jsonl").write_text('{"step": 1, "kind": "validation", "los\n{"step": 2, "kind": "train"}\n')
    (copy("bad_recipe") / "resolved.yaml").write_text("recipe_version: 1\ntraining: {steps: [}\n")
    (copy("odd_recipe") / "resolved.yaml").write_text("recipe_version: 1\ntraining: 7\n")
    (copy("not_utf8") / "resolved.yaml").write_bytes(b"recipe_version: 1\nname: \xff\n")
    (copy("bad_labels") / "labels.json").write_text("[")
    (copy("no_recipe") / "resolved.yaml").unlink()
    (copy("new_recipe") / "resolved.yaml").write_text("recipe_version: 99\nname: later\n")
    manifest = copy("new_manifest") / "manifest.textproto"
    manifest.write_text(manifest.read_text().replace("format: 1", "format: 99") + 'later_field: "x"\n')
    (runs / "half").mkdir()
    (runs / "half" / "recipe.yaml").write_text("recipe_version: 1\n")
    (runs / "foreign" / "src").mkdir(parents=True)
    (runs / "foreign" / "src" / "main.c").write_text("int main;")
    return {
        "bad_manifest": ("damaged", "manifest"),
        "bad_records": ("damaged", "records.jsonl:1"),
        "bad_recipe": ("damaged", ""),
        "odd_recipe": ("damaged", "not a section"),
        "not_utf8": ("damaged", "utf-8"),
        "bad_labels": ("damaged", "labels.json"),
        "no_recipe": ("damaged", "resolved.yaml is missing"),
        "new_recipe": ("newer", "version 99"),
        "new_manifest": ("newer", "format 99"),
        "half": ("half-written", "interrupted"),
        "foreign": ("foreign", "not a run"),
    }


def test_broken_directories_are_listed_as_what_they_are(runs):
    expected = breaks(runs)
    found = listed(runs)
    assert {name: found[name].status for name in expected} == {name: status for name, (status, _) in expected.items()}
    for name, (_, word) in expected.items():
        assert word in found[name].problem and found[name].problem, name
    assert found["a"].status == "finished" and set(found) == {"a", "b", "c", *expected}


def test_broken_directories_break_no_form_and_no_command(runs):
    breaks(runs)
    for style in ("text", "markdown", "csv", "json", "jsonl"):
        assert "bad_manifest" in called("runs", "--format", style)
    assert "damaged: " in called("show", "runs/bad_manifest")
    called("runs", "--sort", "-best", "--where", "step>=0", "--changed")
    called("gc", "runs")


def test_conditions_compare_numbers_texts_metrics_and_recipe_values(runs):
    def names(*conditions, **options):
        return [run.folder.name for run in query.select(list_runs(runs), [query.condition(text) for text in conditions], **options)]

    assert names("status=finished") == ["a", "b"] and names("status!=finished") == ["c"]
    assert names("step<40") == ["c"] and names("exact_match>0", "training.seed=2") == ["b"]
    assert names("folder~*deep*") == ["b"] and names("test/chrf>=1e3") == []
    assert names("task.type=translation") == ["a", "c", "b"] or len(names("task.type=translation")) == 3
    assert names(since="2026-02-01") == [] and len(names(since="2026-01-31")) == 3
    with pytest.raises(UserError, match="no run has a column 'stauts'") as error:
        names("stauts=finished")
    assert "status" in error.value.problems[0].hint
    with pytest.raises(UserError, match="is no condition"):
        names("finished")


def test_runs_without_a_value_come_last_either_way(runs):
    (runs / "new").mkdir()
    for name in ("recipe.yaml", "resolved.yaml"):
        shutil.copy(runs / "a" / name, runs / "new" / name)
    for key in ("best", "-best"):
        assert [run.folder.name for run in query.ordered(list_runs(runs), [key])][-1] == "new"
    descending = [run.best for run in query.ordered(list_runs(runs), ["-best"])][:-1]
    assert descending == sorted(descending, reverse=True)


def test_exports_have_a_row_for_each_run_and_types_that_survive(runs):
    told = list(csv.DictReader(io.StringIO(called("runs", "--format", "csv", "--column", "training.seed"))))
    assert {row["folder"].rpartition("/")[2]: row["training.seed"] for row in told} == {"a": "1", "b": "2", "c": "1"}  # 1 is the default
    lines = [json.loads(line) for line in called("runs", "--format", "jsonl").splitlines()]
    assert all(list(line) == list(lines[0]) for line in lines) and {type(line["best"]) for line in lines} == {float}
    assert lines == json.loads(called("runs", "--format", "json")) and lines[0]["archived"] is False


def test_changed_shows_the_values_that_differ(runs):
    assert query.changed_columns(list_runs(runs)) == ["training.seed"]
    assert "training.seed" in called("runs", "--changed").splitlines()[0]


def test_labels_are_kept_with_the_run_and_archived_runs_are_hidden(runs):
    called("tag", "runs/a", "runs/c", "--add", "good", "--add", "paper/table-2")
    assert called("tag", "runs/a", "--remove", "good").strip() == "runs/a: paper/table-2"
    called("note", "runs/a", "the one to beat")
    assert called("note", "runs/a").strip() == "the one to beat" and read_labels(runs / "c").tags == ("good", "paper/table-2")
    assert called("runs", "--tag", "good").count("runs/") == 1
    called("archive", "runs/a")
    assert "runs/a" not in called("runs") and "runs/a" in called("runs", "--all")
    called("archive", "--undo", "runs/a")
    assert "the one to beat" in called("runs")
    with pytest.raises(UserError, match="cannot be a tag"):
        called("tag", "runs/a", "--add", "two words")


def test_delete_asks_and_refuses_what_is_no_run_or_is_at_work(runs):
    assert CliRunner().invoke(cli, ["runs", "delete", "runs/a"], input="n\n").exit_code == 1 and (runs / "a").exists()
    with RunLock(runs / "a"), pytest.raises(UserError, match="in use"):
        called("delete", "runs/a", "--yes")
    (runs / "other").mkdir()
    with pytest.raises(UserError, match="is not a run directory"):
        called("delete", "runs/other", "runs/a", "--yes")
    assert called("delete", "runs/a", "--yes").strip() == "runs/a: removed"
    assert not (runs / "a").exists() and not list(runs.glob("*.partial"))


def test_a_folder_that_is_a_run_is_listed_alone_and_a_missing_one_is_refused(runs):
    assert [run.folder.name for run in list_runs(runs / "a")] == ["a"]
    with pytest.raises(UserError, match="there is no such folder"):
        called("elsewhere")


def test_show_tells_the_whole_run(runs):
    called("tag", "runs/a", "--add", "good")
    text = called("show", "runs/a")
    for sign in ("finished at step 40 of 40", "tags: good", "dim: 16", "exact_match  20.00 at 40", "A Processor", "test, step-00000040"):
        assert sign in text, sign
    assert called("show", "runs/a", "--format", "html").startswith("<!doctype html>")
